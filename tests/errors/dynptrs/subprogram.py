from pybpf import XDP, Dynptr, Struct, Target, XdpContext, subprog, u32, u64, var, xdp

TARGET = Target(kernel=(6, 18))


class Kept(Struct):
    x: u64


kept = var(Kept)


@subprog
def size_of(d: Dynptr) -> u32:
    return d.size()


@xdp
def given(pkt: XdpContext) -> XDP:
    if size_of(Dynptr.from_mem(kept)) == 3:
        return XDP.DROP
    return XDP.PASS
