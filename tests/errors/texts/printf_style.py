from pybpf import TracepointContext, comm, pid, printk, tracepoint


@tracepoint("syscalls:sys_enter_openat")
def probe(ctx: TracepointContext) -> None:
    printk("pid %d is %s" % (pid(), comm()))
    printk("exec of " + comm() + "!")
