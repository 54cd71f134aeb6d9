from pybpf import XDP, XdpContext, u32, xdp


@xdp
def program(pkt: XdpContext) -> XDP:
    mark = pkt.parse(u32)
    return XDP.PASS if mark is None else XDP.DROP
