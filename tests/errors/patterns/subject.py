from pybpf import PtRegs, kprobe


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    match ctx:
        case PtRegs():
            return
