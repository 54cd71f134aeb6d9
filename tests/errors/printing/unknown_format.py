from pybpf import TracepointContext, comm, pid, printk, tracepoint


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    printk(f"{pid():b}")
    printk(f"{pid():,}")
    printk(f"{pid():.2f}")
    printk(f"{ctx.prev_prio:x}")
    printk(f"{comm():^16}")
    printk(f"{comm()!r}")
    printk(f"{pid()=}")
    width = 8
    printk(f"{pid():{width}}")
    printk(f"{pid():#8x}")
    printk(f"{100:q}")
