from pybpf import XDP, XdpContext, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    a, (b, c) = 1, (2, 3)
    return XDP.PASS
