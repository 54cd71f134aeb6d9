from pybpf import XDP, Array, L, Struct, XdpContext, u16, u32, xdp


class Event(Struct):
    kind: u32
    ports: Array[u16, L[4]]


class Other(Struct):
    kind: u32


@xdp
def sort(pkt: XdpContext) -> XDP:
    event = Event(kind=1, ports=[1, 2, 3, 4])
    match event:
        case Other():
            return XDP.DROP
    match event.kind:
        case True:
            return XDP.DROP
        case Event(kind=1):
            return XDP.DROP
    match event.ports:
        case [1, 2]:
            return XDP.DROP
    match (event.kind, 5):
        case (1, 2, _):
            return XDP.DROP
    return XDP.PASS
