from pybpf import XDP, Struct, XdpContext, u32, xdp


class Header(Struct):
    x: u32


@xdp
def decoded(pkt: XdpContext) -> XDP:
    h = Header.from_bytes(b"abcd")
    return XDP.PASS
