from pybpf import PtRegs, HashMap, kprobe, pid, u32, u64

total = 0
counts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    global total, counts
    total += 1
    total = pid()
    counts = 1
