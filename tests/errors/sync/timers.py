from pybpf import XDP, ArrayMap, HashMap, Struct, Timer, TracepointContext, XdpContext, tracepoint, u32, u64, xdp


class Entry(Struct):
    timer: Timer = Timer()
    hits: u64 = 0


class Other(Struct):
    timer: Timer = Timer()
    hits: u64 = 0


entries = HashMap[u32, Entry](max_entries=64)
others = ArrayMap[Other](4)


def expire(table: HashMap[u32, Entry], key: u32, entry: Entry) -> None:
    del table[key]


def short(key: u32, entry: Entry) -> None:
    entry.hits = 0


def counts(table: HashMap[u32, Entry], key: u32, entry: Entry) -> u64:
    return entry.hits


@xdp
def start(pkt: XdpContext) -> XDP:
    mine = Entry(hits=1)
    mine.timer.start(entries, 1000, expire)
    entry = entries.get(1)
    if entry is None:
        return XDP.PASS
    entry.timer.start(others, 1000, expire)
    entry.timer.start(entries, 1000, 5)
    entry.timer.start(entries, 1000, short)
    entry.timer.start(entries, 1000, counts)
    entry.timer.start(1000, expire)
    entry.timer.stop()
    entry.timer.cancel(1)
    entry.timer = Timer()
    return XDP.PASS


@tracepoint("sched:sched_switch")
def traced(ctx: TracepointContext) -> None:
    entry = entries.get(0)
    if entry is not None:
        entry.timer.cancel()
