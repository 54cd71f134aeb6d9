from pybpf import XDP, ArrayMap, XdpContext, subprog, u64, xdp

hits = ArrayMap[u64](16)


@subprog
def f8(n: u64) -> u64:
    hits[8] += n
    return n


@subprog
def f7(n: u64) -> u64:
    return f8(n) + 1


@subprog
def f6(n: u64) -> u64:
    return f7(n) + 1


@subprog
def f5(n: u64) -> u64:
    return f6(n) + 1


@subprog
def f4(n: u64) -> u64:
    return f5(n) + 1


@subprog
def f3(n: u64) -> u64:
    return f4(n) + 1


@subprog
def f2(n: u64) -> u64:
    return f3(n) + 1


@subprog
def f1(n: u64) -> u64:
    return f2(n) + 1


@xdp
def deep(pkt: XdpContext) -> XDP:
    hits[0] = f1(1)
    return XDP.PASS
