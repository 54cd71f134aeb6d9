from pybpf import XDP, ArrayMap, XdpContext, helpers, sizeof, u64, xdp
from pybpf.net import SockTuple4

hits = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    where = SockTuple4(saddr=1, daddr=2, sport=3, dport=4)
    sk = helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), 0, 0)
    if sk is None:
        return XDP.PASS
    helpers.bpf_sk_release(sk)
    hits[0] = sk.family
    helpers.bpf_sk_release(sk)
    return XDP.PASS
