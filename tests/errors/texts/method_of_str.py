from pybpf import TracepointContext, comm, printk, tracepoint

PREFIX = "kworker"


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    name = comm()
    upper = PREFIX.upper()
    kernel = name.startswith("k")
    length = len(name)
