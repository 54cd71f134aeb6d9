from pybpf import XDP, HashMap, XdpContext, const, u32, u64, xdp

SMOOTHING = 0.125
averages = HashMap[u32, u64](max_entries=64)


@xdp
def smooth(pkt: XdpContext) -> XDP:
    weight = 1.5
    second = 1e9
    phase = 2j
    old = averages.get(0, 0)
    averages[0] = old + SMOOTHING * (pkt.rx_queue_index - old)
    return XDP.PASS
