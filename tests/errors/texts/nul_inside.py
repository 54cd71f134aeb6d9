from pybpf import HashMap, L, Text, TracepointContext, tracepoint, u64

names = HashMap[Text[L[16]], u64](max_entries=64)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    names["ssh\0d"] += 1
