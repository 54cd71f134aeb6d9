from pybpf import PtRegs, kprobe, pid, printk, tid


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    if pid() is tid():
        printk("main thread")
    if pid() is not tid():
        printk("another thread")
