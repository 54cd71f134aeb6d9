from pybpf import XDP, XdpContext, xdp


@xdp
def prog(ctx: XdpContext) -> XDP:
    d = ctx.rx_queue_index
    share = 100 // d  # wrong
    zero = 0
    if share % zero == 1:
        return XDP.TX
    return XDP.PASS
