from pybpf import XDP, XdpContext, u32, xdp


@xdp
def probe(pkt: XdpContext, mark: u32) -> XDP:
    return XDP.PASS
