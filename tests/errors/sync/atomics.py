from pybpf import ArrayMap, HashMap, Struct, XDP, XdpContext, be32, exchange, fetch_add, fetch_or, u8, u32, u64, xdp


class Flow(Struct):
    packets: u64
    address: be32
    flags: u8


flows = HashMap[u32, Flow](max_entries=64)
counts = HashMap[u32, u64](max_entries=64)
slots = ArrayMap[u64](4)


@xdp
def count(pkt: XdpContext) -> XDP:
    fetch_add(counts[1], 1)
    n = slots[0]
    fetch_add(n, 1)
    flow = flows.get(1)
    if flow is not None:
        fetch_or(flow.flags, 1)
        exchange(flow.address, 1)
        fetch_add(flow, 1)
        fetch_add(flow.packets)
    return XDP.PASS
