from pybpf import TracepointContext, kernel_bytes, printk, tracepoint, user_str


@tracepoint("syscalls:sys_enter_openat")
def on_open(ctx: TracepointContext) -> None:
    path = user_str(ctx.filename)
    printk(f"{path}")
    printk(f"{user_str(ctx.filename)}")
    raw = kernel_bytes(0)
