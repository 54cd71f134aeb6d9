from pybpf import HashMap, Struct, XDP, XdpContext, subprog, u32, u64, xdp


class Sample(Struct):
    size: u64
    count: u32 = 0


samples = HashMap[u32, Sample](max_entries=8)
sizes = HashMap[u32, u64](max_entries=8)


@subprog
def make(size: u64) -> Sample:
    return Sample(size=size)


@subprog
def find(key: u32) -> u64 | None:
    return sizes.get(key)


@subprog
def table(key: u32):
    return samples


@xdp
def count(pkt: XdpContext) -> XDP:
    make(3)
    find(4)
    table(5)
    return XDP.PASS
