from pybpf import HashMap, Target, TracepointContext, pid, random, tracepoint, u32, u64

TARGET = Target(kernel=(5, 15))

counts = HashMap[u32, u64](max_entries=64)


@tracepoint("sched:sched_switch")
def squares(ctx: TracepointContext) -> None:
    for i in range(1000):
        for j in range(1000):
            counts[i * j] += 1


@tracepoint("sched:sched_switch")
def scan(ctx: TracepointContext) -> None:
    for i in range(60_000):
        counts[i] = pid()


@tracepoint("sched:sched_switch")
def search(ctx: TracepointContext) -> None:
    for i in range(20_000):
        if random() == i:
            counts[i] = 1
