from pybpf import XDP, ArrayMap, XdpContext, helpers, releasing, sizeof, u64, xdp
from pybpf.net import SockTuple4

hits = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    where = SockTuple4(saddr=1, daddr=2, sport=3, dport=4)
    with releasing(helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), 0, 0)) as sk:
        if sk is not None:
            hits[0] = sk.src_ip6[pkt.rx_queue_index & 3]
    return XDP.PASS
