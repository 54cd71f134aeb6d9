from pybpf import XDP, ArrayMap, XdpContext, asm, u64, xdp

counts = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    size = pkt.rx_queue_index
    counts[0] = asm(u64, "{out} += 5")
    counts[1] = asm(u64, "if {a} > 5 goto done; {out} = 1; done: r3 = 1", a=size)
    counts[2] = asm(u64, "call bpf_ktime_get_ns#5; {out} = r1")
    asm("{out} = 1")
    counts[3] = asm(u64, "{out} = {b}", a=size)
    return XDP.PASS
