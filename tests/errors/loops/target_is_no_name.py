from pybpf import Array, L, Struct, TracepointContext, printk, tracepoint, u32, var

PAIRS = ((1, 2), (3, 4))
step = var(u32, 0)


class Position(Struct):
    i: u32


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    for a, b in PAIRS:
        printk("pair")
    at = Position(i=0)
    for at.i in range(4):
        printk("field")


@tracepoint("sched:sched_switch")
def count(ctx: TracepointContext) -> None:
    global step
    for step in range(4):
        printk("global")
