from pybpf import PtRegs, kprobe, pid


@kprobe("vfs_read")
def collect(ctx: PtRegs) -> None:
    seen = []
    times = {}
    both = {pid(), 1}
