from pybpf import XDP, ArrayMap, Target, XdpContext, helpers, kfuncs, sizeof, u64, xdp
from pybpf.net import SockTuple4

TARGET = Target(kernel=(6, 12))
hits = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    where = SockTuple4(saddr=1, daddr=2, sport=3, dport=4)
    sk = helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), 0, 0)
    if sk is None:
        return XDP.PASS
    if sk.family != 2:
        return XDP.DROP
    hits[0] += 1
    if pkt.rx_queue_index:
        helpers.bpf_sk_release(sk)
    kfuncs.bpf_task_from_pid(1)
    return XDP.PASS
