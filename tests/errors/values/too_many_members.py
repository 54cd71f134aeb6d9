from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64

counts = HashMap[u32, u64](max_entries=64)
WATCHED = list(range(1000, 2000, 7))


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    if pid() in WATCHED:
        counts[pid()] += 1
