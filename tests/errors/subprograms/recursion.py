from pybpf import XDP, XdpContext, subprog, u32, xdp


@subprog
def factorial(n: u32) -> u32:
    return 1 if n < 2 else n * factorial(n - 1)


@subprog
def even(n: u32) -> u32:
    return 1 if n == 0 else odd(n - 1)


def odd(n: u32) -> u32:
    return 0 if n == 0 else even(n - 1)


@xdp
def count(pkt: XdpContext) -> XDP:
    factorial(4)
    even(4)
    return XDP.PASS
