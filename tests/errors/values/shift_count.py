from pybpf import HashMap, PtRegs, kprobe, pid, u32, u64

masks = HashMap[u32, u64](max_entries=64)
WIDTH = 64


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    masks[0] = pid() << WIDTH
    masks[1] = pid() >> -1
    masks[2] = 1 << 300
