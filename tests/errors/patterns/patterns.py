from pybpf import XDP, Array, L, RingBuffer, Struct, XdpContext, u16, u32, xdp


class Event(Struct):
    kind: u32
    ports: Array[u16, L[4]]


events = RingBuffer[Event](4096)


class Plain:
    pass


@xdp
def sort(pkt: XdpContext) -> XDP:
    event = Event(kind=1, ports=[1, 2, 3, 4])
    match event:
        case {"kind": 1}:
            return XDP.DROP
        case Event(1):
            return XDP.DROP
        case Plain():
            return XDP.DROP
    match event.ports:
        case [first, *rest]:
            return XDP.DROP
    return XDP.PASS
