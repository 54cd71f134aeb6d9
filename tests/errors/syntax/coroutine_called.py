from pybpf import PtRegs, kprobe, pid, printk


async def report() -> None:
    printk(f"{pid()}")


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    report()
