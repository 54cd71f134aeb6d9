from pybpf import TracepointContext, printk, tracepoint


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    for i in range():
        printk("none")
    for i in range(0, 10, 2, 1):
        printk("four")
    for i in range(start=0, stop=10):
        printk("keywords")
