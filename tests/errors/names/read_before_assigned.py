from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64, var

total = var(u64, 0)
LIMIT = 10
counts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    total += 1
    if pid() > 1:
        slot = pid() & 63
    counts[slot] += 1
    if LIMIT > 5:
        LIMIT = 4
    n += 1
