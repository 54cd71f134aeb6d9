from pybpf import TracepointContext, pid, printk, tracepoint

ARROW = "→"


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    printk(f"PID {pid()} läuft")
    printk(f"{pid()} {ARROW} {ctx.next_pid}")
    printk("\x1b[31mred\x1b[0m")
