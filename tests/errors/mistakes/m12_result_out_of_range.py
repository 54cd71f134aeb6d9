from pybpf import XDP, XdpContext, xdp


@xdp
def prog(ctx: XdpContext) -> XDP:
    if ctx.rx_queue_index == 3:
        return XDP.DROP
    return 7  # wrong
