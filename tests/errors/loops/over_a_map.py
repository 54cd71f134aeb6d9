from pybpf import ArrayMap, HashMap, RingBuffer, Target, TracepointContext, tracepoint, u32, u64

counts = HashMap[u32, u64](max_entries=128)
slots = ArrayMap[u64](max_entries=16)
events = RingBuffer[u64](4096)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    total = 0
    for event in events:
        total += event
    for key, value in counts:
        total += value
    for pair in slots.items():
        total += 1
    for key in counts.keys(1):
        total += 1
