from pybpf import HashMap, PtRegs, kprobe, ktime, pid, u32, u64


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    if pid() == 1:
        n: u32 = pid()
    else:
        n: u64 = ktime()
