from pybpf import TracepointContext, pid, printk, tracepoint


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    others = range(pid())
