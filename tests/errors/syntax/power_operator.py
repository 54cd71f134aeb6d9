from pybpf import PtRegs, kprobe, HashMap, u64, ktime

buckets = HashMap[u64, u64](max_entries=64)


@kprobe("vfs_read")
def spread(ctx: PtRegs) -> None:
    order = ktime() & 7
    buckets[2**order] += 1
    buckets[order**2] += 1
