from pybpf import XDP, XdpContext, xdp
from pybpf.net import ETH_P_IP, ethhdr


@xdp
def prog(ctx: XdpContext) -> XDP:
    eth = ctx.parse(ethhdr)
    if eth.h_proto == ETH_P_IP:  # wrong
        return XDP.DROP
    return XDP.PASS
