from pybpf import XDP, XdpContext, u32, xdp

LIMITS = (16, 64)
OPTIONS = {"low": 1, "high": 2}


def within(n: u32, low: u32, high: u32) -> bool:
    return low <= n <= high


@xdp
def probe(pkt: XdpContext) -> XDP:
    if within(pkt.rx_queue_index, *LIMITS):
        return XDP.DROP
    if within(pkt.rx_queue_index, **OPTIONS):
        return XDP.DROP
    first, *rest = LIMITS
    return XDP.PASS
