from pybpf import HashMap, PerfEventArray, Struct, Timer, TracepointContext, pid, tracepoint, u32


class Sample(Struct):
    number: u32


class Entry(Struct):
    timer: Timer = Timer()


samples = PerfEventArray[Sample](8)
entries = HashMap[u32, Entry](max_entries=16)


def expire(table: HashMap[u32, Entry], key: u32, entry: Entry) -> None:
    samples.emit(Sample(number=key))


@tracepoint("sched:sched_switch")
def switched(ctx: TracepointContext) -> None:
    entry = entries.setdefault(pid(), Entry())
    if entry is not None:
        entry.timer.start(entries, 1_000_000_000, expire)
