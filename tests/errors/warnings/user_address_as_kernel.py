from pybpf import L, Text, TracepointContext, kernel_str, printk, tracepoint, user_str


@tracepoint("syscalls:sys_enter_openat")
def probe(ctx: TracepointContext) -> None:
    wrong: Text[L[64]] = kernel_str(ctx.filename)
    right: Text[L[64]] = user_str(ctx.filename)
    printk(f"{wrong} {right}")
