from pybpf import PtRegs, RingBuffer, Struct, kprobe, ktime, pid, u32, u64


class Event(Struct):
    pid: u32
    at: u64


events = RingBuffer[Event](4096)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    with events.reserve() as event:
        event.pid = pid()
        event.at = ktime()
