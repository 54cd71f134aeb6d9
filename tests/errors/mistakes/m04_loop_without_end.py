from pybpf import XDP, Target, XdpContext, xdp

TARGET = Target(kernel=(5, 15))


@xdp
def prog(ctx: XdpContext) -> XDP:
    n = ctx.ingress_ifindex
    while n != 7:  # wrong
        n = n * 3 + 1
    return XDP.PASS
