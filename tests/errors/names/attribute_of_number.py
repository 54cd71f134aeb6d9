from pybpf import HashMap, PtRegs, Struct, Array, Text, L, u8, comm, kprobe, pid, u32, u64


class Usage(Struct):
    reads: u64
    cells: Array[u8, L[4]]


counts = HashMap[u32, u64](max_entries=64)
usage = HashMap[u32, Usage](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    count = counts.get(pid())
    if count is None:
        return
    counts[0] = count.value
    counts[1] = count.contents.value
    counts.get(0, 0).value = 1
    entry = usage.get(pid())
    if entry is None:
        return
    counts[2] = entry.cells.length
    nothing = None
    counts[3] = nothing.value
    counts[4] = comm().size
