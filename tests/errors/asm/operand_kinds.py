from pybpf import XDP, ArrayMap, Struct, XdpContext, asm, u64, xdp

counts = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    found = counts.get(pkt.rx_queue_index)
    counts[0] = asm(u64, "{out} = {a}", a=found)
    text = "{out} = 1"
    counts[1] = asm(u64, f"{text}")
    counts[2] = asm(Struct, "{out} = 1")
    return XDP.PASS
