from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64

counts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    if pid() == 0:
        raise ValueError("no process")
    try:
        counts[pid()] += 1
    except KeyError:
        counts[pid()] = 1
