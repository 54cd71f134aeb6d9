from pybpf import HashMap, PtRegs, Struct, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64
    last: u64


usage = HashMap[u32, Usage](max_entries=64)
last = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    usage[pid()] = Usage(reads=1, last=None)
    last[pid()] = None
    started: u64 = None
