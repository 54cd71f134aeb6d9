from pybpf import XDP, HashMap, Struct, XdpContext, u8, u64, xdp


class Event(Struct):
    kind: u8
    ts: u64


h = HashMap[Event, u64](max_entries=64)


@xdp
def prog(ctx: XdpContext) -> XDP:
    event = Event(kind=1)  # wrong
    if ctx.rx_queue_index == 3:
        x = 5
    h[event] = x
    return XDP.PASS
