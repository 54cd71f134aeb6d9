from pybpf import (
    XDP, ArrayMap, HashMap, SpinLock, Struct, TracepointContext, XdpContext, ktime, lock, tracepoint, u32, u64, xdp,
)  # fmt: skip


class Flow(Struct):
    lock: SpinLock = SpinLock()
    packets: u64 = 0
    seen: u64 = 0


class Plain(Struct):
    packets: u64


flows = HashMap[u32, Flow](max_entries=64)
slots = ArrayMap[Flow](4)
plain = ArrayMap[Plain](4)


def stamp(flow: Flow) -> None:
    flow.seen = ktime()


@xdp
def calls(pkt: XdpContext) -> XDP:
    flow = flows.get(1)
    if flow is None:
        return XDP.PASS
    with lock(flow):
        flow.packets += 1
        flow.seen = ktime()
        stamp(flow)
        if 2 in flows:
            return XDP.DROP
    with lock(flow):
        with lock(slots[1]):
            flow.packets = 1
    return XDP.PASS


@xdp
def others(pkt: XdpContext) -> XDP:
    mine = Flow(packets=1)
    with lock(mine):
        mine.packets += 1
    with lock(plain[0]):
        plain[0].packets += 1
    with lock(flows.get(1)):
        pass
    with lock(slots[1]) as held:
        pass
    slots[1] = slots[2]
    slots[1] = Flow(packets=2)
    slots[1].lock = SpinLock()
    flows[3] = slots[0]
    return XDP.PASS


@tracepoint("sched:sched_switch")
def traced(ctx: TracepointContext) -> None:
    flow = flows.get(0)
    if flow is not None:
        flow.packets += 1
