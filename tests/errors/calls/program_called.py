from pybpf import XDP, XdpContext, xdp


@xdp
def drop_large(pkt: XdpContext) -> XDP:
    return XDP.DROP if pkt.data + 1000 <= pkt.data_end else XDP.PASS


@xdp
def filter(pkt: XdpContext) -> XDP:
    if pkt.rx_queue_index > 3:
        return XDP.PASS
    return drop_large(pkt)
