from pybpf import XDP, XdpContext, xdp
from pybpf.net import ethhdr, iphdr


@xdp
def prog(ctx: XdpContext) -> XDP:
    eth = ctx.parse(ethhdr)
    if eth is None:
        return XDP.PASS
    ip = ctx.parse(iphdr)
    return XDP.DROP if ip.protocol == 6 else XDP.PASS  # wrong
