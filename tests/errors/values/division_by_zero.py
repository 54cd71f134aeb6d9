from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64

buckets = HashMap[u32, u64](max_entries=64)
BUCKETS = 0


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    buckets[pid() % BUCKETS] += 1
    buckets[100 // BUCKETS] += 1
