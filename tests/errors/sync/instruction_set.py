from pybpf import ArrayMap, HashMap, Target, XDP, XdpContext, fetch_add, u32, u64, xdp

TARGET = Target(cpu=2)
flags = HashMap[u32, u64](max_entries=64)
slots = ArrayMap[u64](4)


@xdp
def mark(pkt: XdpContext) -> XDP:
    flags[1] += 1
    flags[1] |= 2
    slots[0] &= 3
    before = fetch_add(slots[0], 1)
    return XDP.PASS if before else XDP.DROP
