from pybpf import XDP, Dynptr, Struct, XdpContext, u64, var, xdp


class Kept(Struct):
    x: u64


kept = var(Kept)


@xdp
def given(pkt: XdpContext) -> XDP:
    d = Dynptr.from_xdp(pkt)
    e = Dynptr.from_mem(kept)
    if e.size() == 3:
        return XDP.DROP
    return XDP.PASS
