from pybpf import XDP, Target, XdpContext, kfunc, u32, u64, xdp

TARGET = Target(kernel=(6, 18))


@kfunc
def my_count(text: bytes) -> u64: ...


@kfunc
def my_size(a) -> u64: ...


@kfunc(flags="acquire ret_null")
def my_get(a: u32) -> u64: ...


@xdp
def count(pkt: XdpContext) -> XDP:
    return XDP.PASS if my_count(b"a") else XDP.DROP


@xdp
def size(pkt: XdpContext) -> XDP:
    return XDP.PASS if my_size(1) else XDP.DROP


@xdp
def get(pkt: XdpContext) -> XDP:
    return XDP.PASS if my_get(1) else XDP.DROP
