from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64

counts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    count[pid()] += 1
    counts[ktime()] += 1
    who = pid()
    counts[whoo] += 1
