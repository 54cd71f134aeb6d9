from pybpf import XDP, XdpContext, helpers, sizeof, xdp
from pybpf.net import SockTuple4

@xdp
def count(pkt: XdpContext) -> XDP:
    where = SockTuple4(saddr=1, daddr=2, sport=3, dport=4)
    sk = helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), 0, 0)
    helpers.bpf_sk_release(sk)
    return XDP.PASS
