from pybpf import TracepointContext, comm, printk, tracepoint


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    name = comm()
    if name[0] == "k":
        printk("a kernel thread, perhaps")
