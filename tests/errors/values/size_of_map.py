from pybpf import HashMap, PtRegs, kprobe, pid, sizeof, u32, u64

usage = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    usage[0] = sizeof(usage)
    usage[1] = sizeof(usage.get(0))
