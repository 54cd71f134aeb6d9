from pybpf import XDP, HashMap, Struct, Text, L, XdpContext, subprog, u32, u64, xdp


class Path(Struct):
    name: Text[L[200]]
    size: u64


paths = HashMap[u32, Path](max_entries=8)


@subprog
def last(size: u64) -> None:
    path = Path(name="last", size=size)
    paths[3] = path


@subprog
def middle(size: u64) -> None:
    path = Path(name="middle", size=size)
    last(path.size)
    paths[2] = path


@xdp
def first(pkt: XdpContext) -> XDP:
    path = Path(name="first", size=2)
    middle(path.size)
    paths[1] = path
    return XDP.PASS
