# python >= 3.11
from pybpf import *


@kprobes("do_unlinkat")
def probe(ctx: PtRegs) -> None:
    pass
