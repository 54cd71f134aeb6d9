"""Dynptrs: of memory, of records and commands of any size, of packets."""

from pybpf import (
    TC,
    XDP,
    Array,
    ArrayMap,
    Dynptr,
    L,
    RingBuffer,
    Struct,
    TcContext,
    TracepointContext,
    UserRingBuffer,
    XdpContext,
    helpers,
    kfuncs,
    load,
    sizeof,
    tc,
    tracepoint,
    u8,
    u32,
    xdp,
)


class Header(Struct):
    kind: u32
    length: u32


headers = ArrayMap[Header](4)
records = RingBuffer[bytes](4096)
typed = RingBuffer[Header](4096)
commands = UserRingBuffer[bytes](4096)


def length_of(d: Dynptr) -> int:
    header = d.read(Header)
    return 0 if header is None else header.length


@xdp
def packet(pkt: XdpContext) -> XDP:
    d = Dynptr.from_xdp(pkt)
    header = d.slice(Header, 14)
    if header is None or header.kind == 3:
        return XDP.PASS
    written = d.slice_rdwr(Header, offset=14)
    if written is not None:
        written.length = d.size() + length_of(d)
    number = d.read(u32, 4)
    eight = d.read(Array[u8, L[8]], 8)
    if number is not None and eight is not None and d.adjust(number, eight[0]):
        return XDP.DROP
    return XDP.PASS


@tc
def buffer(pkt: TcContext) -> TC:
    d = Dynptr()
    kfuncs.bpf_dynptr_from_skb(pkt, 0, d)
    if d.write(Header(kind=1, length=2), 4) and d.write(b"abc", 0, 3):
        return TC.OK
    return TC.SHOT


@tracepoint("sched:sched_switch")
def switched(ctx: TracepointContext) -> None:
    d = Dynptr.from_mem(headers[1])
    part = d.data(Header)
    if part is not None:
        part.kind += 1
    for command in commands.drain():
        with records.reserve(sizeof(Header) + command.size()) as record:
            if not record.copy_from(command, command.size(), sizeof(Header)):
                record.discard()
    with typed.reserve() as header:
        if header is not None:
            header.kind = 1
    own = Dynptr()
    if helpers.bpf_ringbuf_reserve_dynptr(records, 8, 0, own) == 0 and not own.is_rdonly():
        own.fill(0, 8)
    helpers.bpf_ringbuf_submit_dynptr(own, 0)


def read() -> list[bytes]:
    with load(switched) as obj, obj.attach():
        obj[commands].send(b"any number")
        return obj[records].read()
