from pybpf import HashMap, Struct, XDP, XdpContext, subprog, u8, u16, u32, u64, xdp

sizes = HashMap[u32, u64](max_entries=8)


@subprog
def record(pid: u32, cpu: u32, port: u16, size: u32, op: u8, flags: u8) -> None:
    sizes[pid] = cpu + port + size + op + flags


@subprog
def weigh(size: u64 | None) -> u64:
    return size if size is not None else 0


@subprog
def tally(pkt: XdpContext, one: u64, two: u64, three: u64, four: u64) -> u64:
    return one + two + three + four if pkt.skip(4) else 0


@xdp
def count(pkt: XdpContext) -> XDP:
    record(1, 2, 3, 4, 5, 6)
    tally(pkt, 1, 2, 3, 4)
    weigh(sizes.get(3))
    return XDP.PASS
