from pybpf import TracepointContext, const, printk, tracepoint, u32

stride = const(u32, 2)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    for i in range(0, 10, 0):
        printk("forever")
    for i in range(0, 64, stride):
        printk("const")
