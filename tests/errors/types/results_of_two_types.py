from pybpf import HashMap, PtRegs, Struct, kprobe, ktime, pid, u32, u64, i64


class Usage(Struct):
    reads: u64


usage = HashMap[u32, Usage](max_entries=64)


def reads(who: u32):
    entry = usage.get(who)
    if entry is None:
        return 0
    return entry


def age(since: u64):
    if since == 0:
        return -1
    return ktime() - since


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    n = reads(pid())
    m = age(pid())
