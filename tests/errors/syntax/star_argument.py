from pybpf import XDP, XdpContext, helpers, u32, xdp

OPTIONS = {"low": 1, "high": 2}


def within(n: u32, low: u32, high: u32) -> bool:
    return low <= n <= high


@xdp
def probe(pkt: XdpContext) -> XDP:
    if within(*pkt.rx_queue_index):
        return XDP.DROP
    if within(pkt.rx_queue_index, **OPTIONS):
        return XDP.DROP
    helpers.bpf_xdp_adjust_head(*(pkt, 4))
    return XDP.PASS
