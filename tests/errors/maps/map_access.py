from pybpf import ArrayMap, HashMap, Struct, TracepointContext, tracepoint, u32, u64


class Limit(Struct):
    most: u64


limits = HashMap[u32, Limit](max_entries=16, rdonly_prog=True)
marks = ArrayMap[u64](4, wronly_prog=True)


@tracepoint("sched:sched_switch")
def noticed(ctx: TracepointContext) -> None:
    limits[0] = Limit(most=1)
    limit = limits.get(1)
    if limit is not None:
        limit.most = 5
    marks[1] += 1
    marks[2] = marks[3]
