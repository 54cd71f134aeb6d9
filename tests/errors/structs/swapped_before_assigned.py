"""A name that is given, in one assignment, what another target of it overwrites."""

from pybpf import XDP, Array, L, Struct, XdpContext, u8, xdp


class Pair(Struct):
    first: Array[u8, L[4]]
    second: Array[u8, L[4]]


@xdp
def swap(pkt: XdpContext) -> XDP:
    pair = Pair(first=(1, 2, 3, 4), second=(5, 6, 7, 8))
    pair.first, old = pair.second, pair.first
    if old[0] == 1:
        return XDP.DROP
    return XDP.PASS
