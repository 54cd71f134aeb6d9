from pybpf import XDP, ArrayMap, XdpContext, asm, u64, xdp

counts = ArrayMap[u64](max_entries=4)


@xdp
def count(pkt: XdpContext) -> XDP:
    size = pkt.rx_queue_index
    counts[0] = asm(u64, "{out} = {a} + 5", a=size)
    counts[1] = asm(
        u64,
        """
        {out} = {a}
        {out} =
        {out} += 1
        """,
        a=size,
    )
    counts[2] = asm(u64, "{out} = {a};\n" "{out} ++ {a}", a=size)
    return XDP.PASS
