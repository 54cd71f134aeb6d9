from pybpf import XDP, XdpContext, xdp


@xdp
def probe(pkt: XdpContext) -> XDP:
    if pkt.rx_queue_index == 3:
        return -1
    return 7


@xdp
def decided(pkt: XdpContext) -> XDP:
    return True
