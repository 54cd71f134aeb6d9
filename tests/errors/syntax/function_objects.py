from pybpf import XDP, XdpContext, u32, xdp


@xdp
def pick(pkt: XdpContext) -> XDP:
    even = lambda n: n % 2 == 0

    def third(n: u32) -> bool:
        return n % 3 == 0

    if even(pkt.rx_queue_index) and third(pkt.rx_queue_index):
        return XDP.DROP
    return XDP.PASS
