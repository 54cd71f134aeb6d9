"""What user space sees of a loaded object, as a checker types it."""

from __future__ import annotations

from pybpf import (
    XDP,
    CompileError,
    HashMap,
    L,
    NotPermitted,
    PerCpuArray,
    PerCpuHash,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    VerifierError,
    XdpContext,
    build,
    check,
    comm,
    const,
    load,
    pid,
    trace_pipe,
    tracepoint,
    u32,
    u64,
    wait,
    xdp,
)


class Event(Struct):
    pid: u32
    comm: Text[L[16]]


limit = const(u32, 0)
counts = HashMap[u32, u64](max_entries=16)
names = HashMap[Text[L[16]], Event](max_entries=16)
drops = PerCpuHash[u32, u64](max_entries=16)
packets = PerCpuArray[u64](256)
events = RingBuffer[Event](4096)


@tracepoint("syscalls:sys_enter_openat")
def enter(ctx: TracepointContext) -> None:
    counts[pid()] += limit
    events.emit(Event(pid=pid(), comm=comm()))


@xdp
def drop(pkt: XdpContext) -> XDP:
    packets[0] += 1
    drops[0] += 1
    return XDP.DROP


def report(seconds: float) -> dict[int, int]:
    with load(enter, limit=7).attach() as obj:
        wait(seconds)
        for event in obj[events].poll_for(seconds):
            print(f"{event.pid:7} {event.comm:16} {event.comm.upper()}")
        obj[counts][1] = 2
        for process, count in sorted(obj[counts].items(), key=lambda entry: -entry[1]):
            print(process + count)
        known: Event | None = obj[names].get("bash")
        if known is not None:
            print(known.pid)
        cpus: list[int] = [value.sum() for value in obj[packets].values()]
        print(sum(cpus), obj[drops][0].max())
        return dict(obj[counts])


async def follow() -> None:
    with load(enter).attach() as obj:
        async for event in obj[events]:
            print(event.comm)


def attached(interface: str) -> bytes:
    try:
        with load(drop) as obj, obj.attach(drop=interface):
            for line in trace_pipe():
                print(line)
    except (CompileError, VerifierError, NotPermitted) as error:
        print(error)
    print(drop.test(b"\0" * 64), check(drop))
    return build(enter, drop).elf
