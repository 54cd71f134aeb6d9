# python >= 3.12
from pybpf import PtRegs, kprobe, pid, printk, u32


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    type Pid = u32
    printk(f"{pid()}")
