from pybpf import HashMap, PtRegs, Struct, kprobe, pid, u32


class Seen(Struct):
    root: bool


seen = HashMap[u32, Seen](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    flag: bool = pid() & 1
    entry = seen.get(pid())
    if entry is not None:
        entry.root = pid()
        entry.root = 1
