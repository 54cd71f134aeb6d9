from pybpf import HashMap, Target, TracepointContext, random, tracepoint, u32, u64

TARGET = Target(kernel=(5, 15))

counts = HashMap[u32, u64](max_entries=64)


@tracepoint("sched:sched_switch")
def rounds(ctx: TracepointContext) -> None:
    for i in range(6000):
        if random() > i:
            counts[0] = i
    for i in range(4000):
        if random() > i:
            counts[1] = i
