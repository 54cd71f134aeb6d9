from pybpf import HashMap, PtRegs, Struct, kprobe, ktime, pid, u32, u64


class Span(Struct):
    start: u64
    end: u64


spans = HashMap[u32, Span](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    high, low = ktime()
    span = spans.get(pid())
    if span is not None:
        start, end = span
