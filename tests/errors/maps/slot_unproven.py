from pybpf import XDP, ArrayMap, TracepointContext, XdpContext, tracepoint, u64, xdp

actions = ArrayMap[u64](max_entries=16)


@xdp
def by_queue(pkt: XdpContext) -> XDP:
    actions[pkt.rx_queue_index] += 1
    queue = pkt.rx_queue_index
    if queue <= 16:
        actions[queue] += 1
    return XDP.PASS


@tracepoint("sched:sched_switch")
def by_priority(ctx: TracepointContext) -> None:
    prio = ctx.prev_prio
    if prio < 16:
        actions[prio] += 1
