from pybpf import HashMap, PtRegs, Struct, comm, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64


usage = HashMap[u32, Usage](max_entries=64)
counts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    entry = usage.get(pid())
    if entry is not None:
        counts[0] = entry + 1
    if ctx > 5:
        return
    if counts.get(-usage, 0):
        return
