from pybpf import HashMap, TracepointContext, current_task, tracepoint, u32, u64

m = HashMap[u32, u64](max_entries=64)


@tracepoint("sched:sched_switch")
def prog(ctx: TracepointContext) -> None:
    m[0] = current_task()  # wrong
