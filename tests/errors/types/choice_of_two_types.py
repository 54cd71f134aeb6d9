from pybpf import HashMap, PtRegs, Struct, comm, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64


usage = HashMap[u32, Usage](max_entries=64)
counts = HashMap[u32, u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    entry = usage.get(pid()) or 0
    name = comm() if pid() else "none yet at all, none"
    what = pid() if pid() > 1 else "init"
