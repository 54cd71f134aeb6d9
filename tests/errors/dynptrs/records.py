from pybpf import Dynptr, RingBuffer, Struct, Target, TracepointContext, UserRingBuffer, helpers, sizeof, tracepoint, u32, u64, var

TARGET = Target(kernel=(6, 18))


class Header(Struct):
    x: u32
    y: u32


records = RingBuffer[bytes](4096)
typed = RingBuffer[Header](4096)
commands = UserRingBuffer[bytes](4096)
kept = var(Header)


@tracepoint("sched:sched_switch")
def sizes(ctx: TracepointContext) -> None:
    records.emit(Header(x=1, y=2))
    with records.reserve() as a:
        pass
    with typed.reserve(40) as b:
        pass
    with records.reserve(8):
        pass
    c = records.reserve(8)


@tracepoint("sched:sched_switch")
def held(ctx: TracepointContext) -> None:
    d = Dynptr()
    helpers.bpf_ringbuf_reserve_dynptr(records, 8, 0, d)
    if d.size() == 0:
        return
    helpers.bpf_ringbuf_submit_dynptr(d, 0)
    helpers.bpf_ringbuf_submit_dynptr(d, 0)


@tracepoint("sched:sched_switch")
def in_a_loop(ctx: TracepointContext) -> None:
    for i in range(4):
        d = Dynptr()
        helpers.bpf_ringbuf_reserve_dynptr(records, 8, 0, d)


@tracepoint("sched:sched_switch")
def gone(ctx: TracepointContext) -> None:
    with records.reserve(8) as d:
        part = d.data(Header)
        if part is None:
            return
        d.discard()
        part.x = 3
    with records.reserve(8) as e:
        other = e.data(Header)
        helpers.bpf_ringbuf_submit_dynptr(e, 0)
    if other is not None:
        other.x = 7
    e.write(Header(x=1, y=2))


@tracepoint("sched:sched_switch")
def of_memory(ctx: TracepointContext) -> None:
    d = Dynptr.from_mem(kept)
    helpers.bpf_ringbuf_submit_dynptr(d, 0)
    part = d.slice_rdwr(Header)


@tracepoint("sched:sched_switch")
def clones(ctx: TracepointContext) -> None:
    d = Dynptr()
    helpers.bpf_ringbuf_reserve_dynptr(records, 8, 0, d)
    other = d.clone()
    helpers.bpf_ringbuf_discard_dynptr(d, 0)
    other.write(Header(x=1, y=2))


@tracepoint("sched:sched_switch")
def sent(ctx: TracepointContext) -> None:
    last = Dynptr.from_mem(kept)
    for command in commands.drain():
        last = command
    command.size()
