from pybpf import PtRegs, HashMap, Struct, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64


usage = HashMap[u32, Usage](max_entries=64)


def bump(entry: Usage, by: u64) -> None:
    entry.reads += by


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    entry = usage.get(pid())
    if entry is not None:
        bump(1, entry)
