from pybpf import XDP, XdpContext, u32, xdp


@xdp
def pick(pkt: XdpContext) -> XDP:
    queue = pkt.rx_queue_index
    again(queue)

    def add(n: u32) -> u32:
        nonlocal queue
        even = lambda n, by=queue: (n + by) % 2 == 0
        return queue

    if add(3) == 4:
        return XDP.DROP
    return XDP.PASS
