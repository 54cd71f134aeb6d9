# python >= 3.11
from pybpf import PtRegs, kprobe


@kprobe
def probe(ctx: PtRegs) -> None:
    pass
