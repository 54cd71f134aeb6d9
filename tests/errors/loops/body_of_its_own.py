from pybpf import XDP, HashMap, RingBuffer, Struct, XdpContext, u32, u64, xdp


class Pair(Struct):
    a: u32
    b: u64


seen = HashMap[Pair, Pair](max_entries=64)
events = RingBuffer[Pair](4096)


@xdp
def kept(pkt: XdpContext) -> XDP:
    last = Pair(a=0, b=0)
    for pair in seen:
        last = Pair(a=pair.a, b=1)
    return XDP.DROP if last.b == 0 else XDP.PASS


def first() -> Pair | None:
    for key in seen:
        return key
    return None


@xdp
def returned(pkt: XdpContext) -> XDP:
    found = first()
    return XDP.PASS if found is None else XDP.DROP


@xdp
def largest(pkt: XdpContext) -> XDP:
    best = None
    for value in seen.values():
        if best is None or value.b > best.b:
            best = value
    return XDP.PASS if best is None else XDP.DROP


@xdp
def discarded(pkt: XdpContext) -> XDP:
    with events.reserve() as event:
        if event is None:
            return XDP.PASS
        for pair in seen:
            event.discard()
            break
    return XDP.PASS
