from pybpf import ArrayMap, PerCpuArray, TracepointContext, tracepoint, u64

counts = ArrayMap[u64](max_entries=4)
total = PerCpuArray[u64](max_entries=1)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    counts[4] += 1
    counts[-1] += 1
    total[1] = 0
