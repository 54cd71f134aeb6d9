from pybpf import TracepointContext, pid, printk, tracepoint


@tracepoint("syscalls:sys_enter_write")
def on_write(ctx: TracepointContext) -> None:
    printk("%d", 3)
    printk("pid %d wrote %u bytes", pid(), ctx.count)
    printk("pid {} wrote".format(pid()))
    printk(pid())
    printk()
    printk("pid", end="")
