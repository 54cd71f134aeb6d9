from pybpf import XDP, ProgArray, RingBuffer, Struct, TracepointContext, XdpContext, subprog, tracepoint, u32, xdp


class Event(Struct):
    queue: u32


stages = ProgArray[XdpContext, XDP](2)
events = RingBuffer[Event](4096)


@subprog
def dispatch(pkt: XdpContext, stage: u32) -> None:
    stages.tail_call(pkt, stage)


@xdp
def entry(pkt: XdpContext) -> XDP:
    stages.tail_call(pkt, 2)
    stages.tail_call(3, 1)
    dispatch(pkt, 1)
    with events.reserve() as event:
        if event is not None:
            event.queue = pkt.rx_queue_index
            stages.tail_call(pkt, 1)
    total = 0
    for i in range(pkt.rx_queue_index):
        stages.tail_call(pkt, 0)
        total += i
    stages[0] = entry
    return XDP.PASS
