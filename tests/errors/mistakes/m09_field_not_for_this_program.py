from pybpf import XDP, XdpContext, xdp


@xdp
def prog(ctx: XdpContext) -> XDP:
    if ctx.mark == 7:  # wrong
        return XDP.DROP
    return XDP.PASS
