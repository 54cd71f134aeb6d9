from pybpf import XDP, XdpContext, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    if pkt - pkt.rx_queue_index == 3:
        return XDP.DROP
    if pkt & 1:
        return XDP.DROP
    return XDP.PASS
