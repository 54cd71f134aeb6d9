from pybpf import PtRegs, kprobe, pid, tid


@kprobe("vfs_read")
def ids(ctx: PtRegs):
    yield pid()
    yield tid()
