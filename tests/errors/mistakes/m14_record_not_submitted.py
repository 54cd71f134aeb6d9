from pybpf import XDP, RingBuffer, Struct, XdpContext, u64, xdp


class Event(Struct):
    ts: u64


events = RingBuffer[Event](4096)


@xdp
def prog(ctx: XdpContext) -> XDP:
    event = events.reserve()  # wrong
    if event is None:
        return XDP.PASS
    if ctx.rx_queue_index == 3:
        return XDP.DROP
    event.ts = 1
    return XDP.PASS
