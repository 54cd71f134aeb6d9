from pybpf import HashMap, TracepointContext, tracepoint, u32, u64

totals = HashMap[u32, u64](max_entries=16)


@tracepoint("sched:sched_switch")
def noticed(ctx: TracepointContext) -> None:
    totals.set(0, 1, lock=True)
