from pybpf import XDP, XdpContext, subprog, u32, xdp


@subprog
def f(a: u32, b: u32, c: u32, d: u32, e: u32, g: u32) -> u32:  # wrong
    return a * b + c * d + e * g


@xdp
def prog(ctx: XdpContext) -> XDP:
    a, b = ctx.rx_queue_index, ctx.ingress_ifindex
    return XDP(f(a, b, 1, a + b, 2, 3) & 3)
