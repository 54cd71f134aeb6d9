from pybpf import HashMap, PtRegs, Struct, kprobe, ktime, pid, u32, u64


class Usage(Struct):
    reads: u64


usage = HashMap[u32, Usage](max_entries=64)
starts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    delta = -1
    delta = ktime() - starts.get(pid(), 0)
    found = usage.get(pid())
    if found is None:
        found = pid()
