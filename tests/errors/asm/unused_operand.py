from pybpf import XDP, ArrayMap, XdpContext, asm, u64, xdp

counts = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    counts[0] = asm(u64, "{out} = {a}", a=pkt.rx_queue_index, b=4)
    return XDP.PASS
