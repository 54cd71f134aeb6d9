from pybpf import XDP, XdpContext, xdp


@xdp
def match(pkt: XdpContext) -> XDP:
    return XDP.PASS


@xdp
def größe(pkt: XdpContext) -> XDP:
    return XDP.PASS
