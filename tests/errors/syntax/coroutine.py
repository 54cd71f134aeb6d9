from pybpf import PtRegs, kprobe, pid, printk


async def report() -> None:
    printk(f"{pid()}")


@kprobe("vfs_read")
async def probe(ctx: PtRegs) -> None:
    await report()
