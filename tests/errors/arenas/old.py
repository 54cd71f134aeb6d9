"""Arenas came with Linux 6.9, and atomic instructions in them with 6.10."""

from pybpf import XDP, Arena, Struct, Target, XdpContext, u64, xdp

TARGET = Target(kernel=(6, 8))


class Root(Struct):
    count: u64


arena = Arena(max_pages=4)
root = arena.var(Root)


@xdp
def packet(pkt: XdpContext) -> XDP:
    root.count = 1
    return XDP.PASS
