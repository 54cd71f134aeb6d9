"""Atomic instructions in arenas came with Linux 6.10."""

from pybpf import XDP, Arena, Struct, Target, XdpContext, fetch_add, u64, xdp

TARGET = Target(kernel=(6, 9))


class Root(Struct):
    count: u64


arena = Arena(max_pages=4)
root = arena.var(Root)


@xdp
def packet(pkt: XdpContext) -> XDP:
    root.count += 1
    if fetch_add(root.count, 1):
        return XDP.DROP
    return XDP.PASS
