import copy

from pybpf import (
    XDP,
    ArrayMap,
    Dynptr,
    RingBuffer,
    SpinLock,
    Struct,
    Target,
    XdpContext,
    helpers,
    kfuncs,
    sizeof,
    u32,
    u64,
    var,
    xdp,
)

TARGET = Target(kernel=(6, 18))


class Header(Struct):
    x: u32
    y: u32


class Locked(Struct):
    lock: SpinLock
    x: u64


table = ArrayMap[Header](4)
guarded = ArrayMap[Locked](1)
kept = var(Header)


@xdp
def empty(pkt: XdpContext) -> XDP:
    d = Dynptr()
    size = d.size()
    if pkt.rx_queue_index:
        helpers.bpf_dynptr_from_mem(kept, sizeof(kept), 0, d)
    helpers.bpf_dynptr_read(table[0], 8, d, 0, 0)
    return XDP.PASS


@xdp
def made_again(pkt: XdpContext) -> XDP:
    d = Dynptr()
    for key in range(2):
        helpers.bpf_dynptr_from_mem(table[key], sizeof(Header), 0, d)
    return XDP.PASS


@xdp
def of_two_kinds(pkt: XdpContext) -> XDP:
    d = Dynptr()
    if pkt.rx_queue_index:
        kfuncs.bpf_dynptr_from_xdp(pkt, 0, d)
    else:
        helpers.bpf_dynptr_from_mem(kept, 8, 0, d)
    e = Dynptr.from_mem(kept)
    e = Dynptr.from_xdp(pkt)
    return XDP.PASS


@xdp
def of_other_memory(pkt: XdpContext) -> XDP:
    own = Header(x=1, y=2)
    d = Dynptr.from_mem(own)
    value = guarded[0]
    e = Dynptr.from_mem(value)
    return XDP.PASS


def fill(d: Dynptr) -> None:
    helpers.bpf_dynptr_from_mem(kept, 8, 0, d)


@xdp
def elsewhere(pkt: XdpContext) -> XDP:
    d = Dynptr()
    fill(d)
    e = Dynptr.from_mem(kept)
    fill(e)
    return XDP.PASS


@xdp
def no_dynptr(pkt: XdpContext) -> XDP:
    h = Header(x=1, y=2)
    helpers.bpf_dynptr_write(h, 0, h, 8, 0)
    helpers.bpf_dynptr_read(Dynptr.from_mem(kept), 8, h, 0, 0)
    return XDP.PASS


@xdp
def no_value(pkt: XdpContext) -> XDP:
    d = Dynptr.from_mem(kept)
    e = copy.copy(d)
    if d == Dynptr.from_mem(kept):
        return XDP.DROP
    f = None
    f = d
    return XDP.PASS


@xdp
def slices(pkt: XdpContext) -> XDP:
    d = Dynptr.from_xdp(pkt)
    h = d.data(Header)
    n = d.slice(u32, 4)
    part = d.slice(Header, 4)
    if part is not None:
        part.x = 1
    size = pkt.rx_queue_index
    raw = helpers.bpf_dynptr_data(Dynptr.from_mem(kept), 0, size)
    p = d.slice(Header, 4)
    if p is None:
        return XDP.DROP
    helpers.bpf_xdp_adjust_head(pkt, 4)
    if p.x == 1:
        return XDP.DROP
    q = d.slice(Header, kind=Header)
    return XDP.PASS
