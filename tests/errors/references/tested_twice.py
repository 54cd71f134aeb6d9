from pybpf import XDP, RingBuffer, Struct, Target, XdpContext, helpers, u64, xdp

TARGET = Target(kernel=(6, 1))


class Event(Struct):
    at: u64


events = RingBuffer[Event](4096)


def reserve():
    record = helpers.bpf_ringbuf_reserve(events, 8, 0)
    if record is not None:
        return record
    return helpers.bpf_ringbuf_reserve(events, 8, 0)


@xdp
def inlined(pkt: XdpContext) -> XDP:
    record = reserve()
    if record:
        helpers.bpf_ringbuf_submit(record, 0)
    return XDP.PASS
