from pybpf import XDP, XdpContext, u32, xdp


def weight(queue: u32) -> u32:
    if queue < 4:
        return 1


@xdp
def firewall(pkt: XdpContext) -> XDP:
    if weight(pkt.rx_queue_index) == 1:
        return XDP.DROP
