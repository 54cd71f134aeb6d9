from pybpf import TracepointContext, printk, tracepoint, user_str


@tracepoint("syscalls:sys_enter_openat")
def probe(ctx: TracepointContext) -> None:
    first = ctx.filename[0]
    if ctx.filename.startswith("/etc"):
        return
    printk(f"{ctx.filename:s}")


@tracepoint("sched:sched_process_exec")
def started(ctx: TracepointContext) -> None:
    printk(f"{user_str(ctx.filename)}")
