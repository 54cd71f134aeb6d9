from pybpf import XDP, HashMap, SpinLock, Struct, XdpContext, printk, u32, u64, xdp


class Flow(Struct):
    lock: SpinLock
    packets: u64


flows = HashMap[u32, Flow](max_entries=1024)


@xdp
def last(pkt: XdpContext) -> XDP:
    flow = flows.pop(pkt.rx_queue_index, None)
    if flow is not None:
        printk(f"{flow.packets}")
    return XDP.PASS
