from pybpf import HashMap, PtRegs, kprobe, pid, printk, u32, u64

counts = HashMap[u32, u64](max_entries=64)


def bump(who: u32) -> None:
    counts[who] += 1


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    now = bump(pid())
    if now > 10:
        printk("many")
    if bump(pid()):
        printk("bumped")
    counts[0] = bump(pid())
