from pybpf import XDP, Array, Dynptr, HashMap, L, Struct, XdpContext, u32, xdp


class Header(Struct):
    x: u32
    d: Dynptr


packets = HashMap[u32, Dynptr](4)


@xdp
def in_a_struct(pkt: XdpContext) -> XDP:
    h = Header(x=1)
    return XDP.PASS


@xdp
def in_a_map(pkt: XdpContext) -> XDP:
    d = packets.get(1)
    return XDP.PASS


@xdp
def in_an_array(pkt: XdpContext) -> XDP:
    several = Array[Dynptr, L[2]]()
    return XDP.PASS
