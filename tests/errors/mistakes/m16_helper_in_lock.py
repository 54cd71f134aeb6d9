from pybpf import XDP, ArrayMap, SpinLock, Struct, XdpContext, ktime, lock, u64, xdp


class Flow(Struct):
    lock: SpinLock = SpinLock()
    seen: u64 = 0


flows = ArrayMap[Flow](4)


@xdp
def prog(ctx: XdpContext) -> XDP:
    flow = flows[1]
    with lock(flow):
        flow.seen = ktime()  # wrong
    return XDP.PASS
