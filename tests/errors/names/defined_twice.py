from pybpf import XDP, XdpContext, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    return XDP.DROP


@xdp
def probe(pkt: XdpContext) -> XDP:
    return XDP.PASS
