from pybpf import XDP, XdpContext, u64, xdp
from pybpf.net import ethhdr


def lengths(pkt: XdpContext) -> tuple[u64, u64] | None:
    if pkt.parse(ethhdr) is None:
        return None
    return 14, pkt.rx_queue_index


@xdp
def prog(pkt: XdpContext) -> XDP:
    found = lengths(pkt)
    return XDP.PASS if found is None else XDP.DROP
