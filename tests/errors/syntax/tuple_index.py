from pybpf import XDP, XdpContext, u32, xdp


def halves(n: u32) -> tuple[u32, u32]:
    return n // 2, n - n // 2


@xdp
def probe(pkt: XdpContext) -> XDP:
    pair = halves(pkt.rx_queue_index)
    chosen = pair[pkt.ingress_ifindex & 1]
    third = pair[2]
    first, second, rest = pair
    (low, high), mid = pair
    if pair < 3:
        return XDP.DROP
    pair = (1, 2, 3)
    return XDP.PASS
