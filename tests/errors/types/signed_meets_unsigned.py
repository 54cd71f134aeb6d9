from pybpf import HashMap, PtRegs, kprobe, ktime, i64, u32, u64

limits = HashMap[u32, i64](max_entries=64)
totals = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    limit = limits.get(0, -1)
    if ktime() > limit:
        totals[0] = ktime() // limit
    if totals.get(0, 0) >= -1:
        totals[1] = min(ktime(), limit)
