from pybpf import TracepointContext, pid, printk, tracepoint


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    if ctx.next_pid in range(1, pid()):
        printk("older")
    others = range(pid())
