from pybpf import XDP, XdpContext, xdp


@xdp
def prog(ctx: XdpContext) -> XDP:
    ctx.rx_queue_index = 5  # wrong
    return XDP.PASS
