from pybpf import XDP, XdpContext, xdp


@xdp
def prog(ctx: XdpContext) -> XDP:
    return -1  # wrong
