from pybpf import XDP, ArrayMap, SpinLock, Struct, XdpContext, helpers, u64, xdp


class Flow(Struct):
    lock: SpinLock = SpinLock()
    packets: u64 = 0


flows = ArrayMap[Flow](4)


@xdp
def prog(ctx: XdpContext) -> XDP:
    flow = flows[1]
    helpers.bpf_spin_lock(flow.lock)  # wrong
    if flow.packets > 10:
        return XDP.DROP
    flow.packets += 1
    helpers.bpf_spin_unlock(flow.lock)
    return XDP.PASS
