from pybpf import PtRegs, Struct, RingBuffer, Text, L, kprobe, pid, tid


class Event(Struct):
    what: Text[L[32]]


events = RingBuffer[Event](4096)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    events.emit(Event(what=f"{pid()}/{tid()}"))
