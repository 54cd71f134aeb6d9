from pybpf import ArrayMap, Struct, TracepointContext, tracepoint, u64


class Usage(Struct):
    calls: u64


calls = ArrayMap[u64](max_entries=4)
usage = ArrayMap[Usage](max_entries=4)


@tracepoint("sched:sched_switch")
def reset(ctx: TracepointContext) -> None:
    del calls[0]
    del usage[1]
