from pybpf import XDP, ArrayMap, XdpContext, asm, u64, xdp

counts = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    total = pkt.rx_queue_index
    asm("{out} += 1", out=total)
    counts[0] = total
    return XDP.PASS
