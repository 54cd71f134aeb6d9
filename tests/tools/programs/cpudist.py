"""How long tasks stay on a CPU (or off it), as a histogram. After cpudist of BCC."""

from pybpf import Array, HashMap, L, Struct, TracepointContext, const, ktime, tracepoint, u32, u64

SLOTS = 36


class Hist(Struct):
    slots: Array[u32, L[SLOTS]]


off_cpu = const(bool, False)
start = HashMap[u32, u64](max_entries=10_240)
hists = HashMap[u32, Hist](max_entries=4096)


def log2(v: u64) -> u32:
    r: u32 = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if v >> shift:
            v >>= shift
            r += shift
    return r


def store(pid: u32, now: u64) -> None:
    began = start.get(pid)
    if began is None or now < began:
        return
    hist = hists.setdefault(pid, Hist(slots=Array()))
    if hist is not None:
        hist.slots[min(log2((now - began) // 1000), SLOTS - 1)] += 1


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    now = ktime()
    before, after = ctx.prev_pid, ctx.next_pid
    if off_cpu:
        start[before] = now
        store(after, now)
    else:
        store(before, now)
        start[after] = now
