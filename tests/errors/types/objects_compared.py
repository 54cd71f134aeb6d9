from pybpf import HashMap, PtRegs, Struct, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64
    writes: u64


usage = HashMap[u32, Usage](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    old = usage.get(0)
    new = usage.get(pid())
    if old is None or new is None:
        return
    if old == new.reads:
        return
    if new > old:
        usage[0] = new
