# python >= 3.11
from pybpf import PtRegs, uprobe


@uprobe.multi("libc", [])
def probe(ctx: PtRegs) -> None:
    pass
