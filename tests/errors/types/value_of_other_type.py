from pybpf import Array, HashMap, L, PtRegs, RingBuffer, Struct, Text, comm, kprobe, pid, u8, u16, u32, u64


class Usage(Struct):
    reads: u64
    name: Text[L[16]]
    tags: Array[u8, L[4]]


usage = HashMap[u32, Usage](max_entries=64)
last = HashMap[u32, u64](max_entries=64)
events = RingBuffer[Usage](4096)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    usage[pid()] = 1
    last[pid()] = "vfs_read"
    last[pid()] = comm()
    events.emit(pid())
    entry = usage.get(pid())
    if entry is None:
        return
    entry.name = pid()
    entry.reads = comm()
    entry.tags = comm()
    limit: u32 = comm()
    last[pid()] = entry
