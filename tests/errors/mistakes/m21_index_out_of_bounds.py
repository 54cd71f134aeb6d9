from pybpf import XDP, Array, ArrayMap, L, Struct, XdpContext, u64, xdp


class Slots(Struct):
    counts: Array[u64, L[16]]


a = ArrayMap[Slots](max_entries=1)


@xdp
def prog(ctx: XdpContext) -> XDP:
    i = ctx.rx_queue_index
    slots = a[0]
    if i <= 16:
        slots.counts[i] += 1  # wrong
    return XDP.PASS
