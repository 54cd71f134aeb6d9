from pybpf import XDP, XdpContext, helpers, sizeof, xdp
from pybpf.net import SockTuple4


@xdp
def prog(ctx: XdpContext) -> XDP:
    where = SockTuple4(saddr=1, daddr=2, sport=3, dport=4)
    sk = helpers.bpf_sk_lookup_tcp(ctx, where, sizeof(where), 0, 0)
    if sk is None:
        return XDP.PASS
    if sk.family == 2:
        return XDP.DROP  # wrong
    helpers.bpf_sk_release(sk)
    return XDP.PASS
