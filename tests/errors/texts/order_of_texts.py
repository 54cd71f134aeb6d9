from pybpf import TracepointContext, comm, printk, tracepoint


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    if comm() < "m":
        printk("first half")
