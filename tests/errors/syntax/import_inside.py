from pybpf import PtRegs, kprobe, printk


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    from pybpf import comm

    printk(f"{comm()}")
