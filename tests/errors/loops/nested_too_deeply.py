from pybpf import XDP, XdpContext, u64, var, xdp

total = var(u64, 0)


@xdp
def add(pkt: XdpContext) -> XDP:
    global total
    n = pkt.rx_queue_index
    total = (
        n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
        + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n
    )
    return XDP.PASS
