from pybpf import HashMap, PtRegs, Struct, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64


usage = HashMap[u32, Usage](max_entries=64)
LIMIT = 10


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    n = pid()[0]
    first = ctx[0]
    entry = usage.get(pid())
    if entry is not None:
        entry["reads"] += 1
    m = LIMIT[pid()]
