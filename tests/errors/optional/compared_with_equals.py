from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64

counts = HashMap[u32, u64](max_entries=64)
limits = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    count = counts.get(pid())
    if count == None:  # noqa: E711
        return
    limit = limits.get(pid())
    if None != limit:  # noqa: E711
        counts[pid()] = 0
