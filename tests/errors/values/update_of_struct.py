from pybpf import HashMap, ArrayMap, PtRegs, Struct, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64


usage = HashMap[u32, Usage](max_entries=64)
table = ArrayMap[Usage](4)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    usage[pid()] += 1
    table[0] += 1
    entry = usage.get(pid())
    if entry is not None:
        entry += 1
