"""How long calls of nginx take: from enter and exit events, a histogram, and figures of each process."""

from pybpf import ArrayMap, HashMap, L, SocketFilterContext, Struct, Text, i32, log2, socket_filter, u32, u64

SLOTS = 27
ENTER, EXIT = 1, 2


class Event(Struct):
    kind: u32 = 0
    pid: u32 = 0
    tid: u32 = 0
    error: u32 = 0
    time: u64 = 0
    comm: Text[L[16]] = ""


class Start(Struct):
    time: u64
    pid: u32


class Stat(Struct):
    calls: u64 = 0
    errors: u64 = 0
    total: u64 = 0
    max: u64 = 0


starts = HashMap[u32, Start](max_entries=10_240)
stats = HashMap[u32, Stat](max_entries=1024)
hist = ArrayMap[u64](SLOTS)


@socket_filter
def latency(skb: SocketFilterContext) -> i32:
    event = Event()
    if not skb.load_bytes(28, event) or event.comm != "nginx":
        return 0
    if event.kind == ENTER:
        starts[event.tid] = Start(time=event.time, pid=event.pid)
        return 1
    if event.kind != EXIT:
        return 0
    start = starts.get(event.tid)
    if start is None:
        return 0
    took = (event.time - start.time) // 1000
    del starts[event.tid]

    hist[min(log2(took), SLOTS - 1)] += 1
    stat = stats.setdefault(event.pid, Stat())
    if stat is None:
        return 0
    stat.calls += 1
    stat.total += took
    if event.error:
        stat.errors += 1
    if took > stat.max:
        stat.max = took
    return 2
