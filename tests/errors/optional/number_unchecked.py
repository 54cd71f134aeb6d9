from pybpf import HashMap, PtRegs, kprobe, ktime, pid, u32, u64

started = HashMap[u32, u64](max_entries=1024)
longest = HashMap[u32, u64](max_entries=1024)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    start = started.get(pid())
    longest[0] = ktime() - start
    if ktime() > started.get(pid()):
        longest[1] = started.pop(pid(), None)
