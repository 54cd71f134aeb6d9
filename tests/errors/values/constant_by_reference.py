from pybpf import XDP, Array, L, Struct, XdpContext, const, subprog, u32, xdp


class Limits(Struct):
    low: u32
    steps: Array[u32, L[4]]


limits = const(Limits, Limits(low=1, steps=[1, 2, 4, 8]))


@subprog
def reset(steps: Array[u32, L[4]]) -> None:
    steps[0] = 0


@xdp
def probe(pkt: XdpContext) -> XDP:
    reset(limits.steps)
    mine = limits
    mine.low = 2
    return XDP.PASS
