from pybpf import ArrayMap, HashMap, TracepointContext, printk, tracepoint, u32, u64

counts = HashMap[u32, u64](max_entries=128)
slots = ArrayMap[u64](max_entries=16)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    total = 0
    for key in counts:
        total += 1
    for key, value in counts.items():
        total += value
    for value in slots:
        total += value
