from pybpf import HashMap, TracepointContext, pid, tid, tracepoint, u32, u64

counts = HashMap[u32, u64](max_entries=64)


def count(key: u32, amount: u64 = 1) -> None:
    counts[key] += amount


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    count(pid(), 1, tid())
    count(pid(), ammount=2)
    count(pid(), key=tid())
    count()
    me = pid(0)
