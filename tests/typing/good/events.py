"""Events, links and inspection as checkers see them."""

from __future__ import annotations

from typing_extensions import assert_type

from pybpf import (
    XDP,
    Array,
    L,
    PerfEventArray,
    RingBuffer,
    StackTrace,
    Struct,
    TracepointContext,
    UserRingBuffer,
    XdpContext,
    kernel_stack,
    load,
    open_link,
    open_program,
    stats,
    tracepoint,
    u32,
    u64,
    xdp,
)


class Sample(Struct):
    pid: u32
    frames: Array[u64, L[8]]


class Command(Struct):
    pid: u32


samples = PerfEventArray[Sample](pages=8)
opens = RingBuffer[Sample](4096, count_lost=True)
stacks = StackTrace(max_entries=64)
commands = UserRingBuffer[Command](4096)


@tracepoint("sched:sched_switch")
def switched(ctx: TracepointContext) -> None:
    number = stacks.id(user=True)
    if number is not None:
        samples.emit(Sample(pid=number, frames=kernel_stack()))
    for command in commands.drain():
        opens.emit(Sample(pid=command.pid, frames=kernel_stack()))


@xdp
def ingress(pkt: XdpContext) -> XDP:
    sent = samples.emit(Sample(pid=1, frames=Array[u64, L[8]]()), packet=64)
    return XDP.PASS if sent else XDP.DROP


async def user_space() -> None:
    with load(switched, ingress) as obj, stats(), obj.attach(ingress="lo") as attached:
        for event in obj[samples].read_many(10):
            assert_type(event, Sample)
        for one, packet in obj[samples].with_packets():
            print(one.pid, len(packet))
        async for later in obj[opens]:
            assert_type(later, Sample)
        obj[commands].send(Command(pid=1), timeout=1.5)
        print(obj[stacks].user(1, 2).format("perf"), obj[stacks].kernel(3)[0].name, obj[opens].lost)
        (link, *_) = attached.links
        link.update(obj.programs["ingress"])
        link.pin("/sys/fs/bpf/link")
        print(link.info().program_id, obj.programs["ingress"].info().mean_ns)
    with open_link("/sys/fs/bpf/link") as other, open_program(7) as program:
        print(other.info().type, program.test(bytes(64)).retval)
