# python >= 3.11
from pybpf import PtRegs, kprobe


@kprobe("vfs_*")
def probe(ctx: PtRegs) -> None:
    pass
