from pybpf import HashMap, PtRegs, kprobe, ktime, u64

buckets = HashMap[u64, u64](max_entries=64)


@kprobe("vfs_read")
def spread(ctx: PtRegs) -> None:
    order = ktime() & 127
    buckets[2**order] += 1
    buckets[order**order] += 1
    buckets[order @ order] += 1
