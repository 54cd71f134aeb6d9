"""Block I/O latency as a histogram in powers of two, by disk. After biolatency of libbpf-tools."""

from pybpf import Array, HashMap, L, Struct, TracepointContext, const, ktime, tracepoint, u32, u64

SLOTS = 27


class Request(Struct):
    dev: u32
    sector: u64


class Hist(Struct):
    slots: Array[u32, L[SLOTS]]


in_ms = const(bool, False)
start = HashMap[Request, u64](max_entries=10_240)
hists = HashMap[u32, Hist](max_entries=256)


def log2(v: u64) -> u32:
    r: u32 = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if v >> shift:
            v >>= shift
            r += shift
    return r


@tracepoint("block:block_rq_issue")
def issue(ctx: TracepointContext) -> None:
    start[Request(dev=ctx.dev, sector=ctx.sector)] = ktime()


@tracepoint("block:block_rq_complete")
def complete(ctx: TracepointContext) -> None:
    began = start.pop(Request(dev=ctx.dev, sector=ctx.sector), None)
    if began is None:
        return
    hist = hists.setdefault(ctx.dev, Hist(slots=Array()))
    if hist is None:
        return
    delta = (ktime() - began) // (1_000_000 if in_ms else 1000)
    hist.slots[min(log2(delta), SLOTS - 1)] += 1
