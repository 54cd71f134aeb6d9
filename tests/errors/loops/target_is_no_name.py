from pybpf import Array, L, Struct, TracepointContext, printk, tracepoint, u32, var

step = var(u32, 0)


class Position(Struct):
    i: u32


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    at = Position(i=0)
    for at.i in range(4):
        printk("field")


@tracepoint("sched:sched_switch")
def count(ctx: TracepointContext) -> None:
    global step
    for step in range(4):
        printk("global")
