from pybpf import XDP, XdpContext, xdp


@xdp
def prog(ctx: XdpContext) -> XDP:
    if ctx.len > 1500:  # wrong
        return XDP.DROP
    return XDP.PASS
