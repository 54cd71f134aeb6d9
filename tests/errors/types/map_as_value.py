import time

from pybpf import HashMap, PtRegs, Struct, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64


usage = HashMap[u32, Usage](max_entries=64)
counts = HashMap[u32, u64](max_entries=64)


def limit() -> int:
    return 10


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    counts[0] = counts
    usage[0] = Usage
    counts[1] = limit
    if counts.get(0, 0) > limit:
        return
    counts[2] = time
