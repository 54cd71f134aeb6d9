from pybpf import XDP, RingBuffer, Struct, XdpContext, helpers, u64, xdp

class Event(Struct):
    at: u64


events = RingBuffer[Event](4096)


@xdp
def count(pkt: XdpContext) -> XDP:
    record = helpers.bpf_ringbuf_reserve(events, 8, 0)
    if record is None:
        return XDP.PASS
    if pkt.rx_queue_index > 3:
        return XDP.DROP
    helpers.bpf_ringbuf_submit(record, 0)
    return XDP.PASS
