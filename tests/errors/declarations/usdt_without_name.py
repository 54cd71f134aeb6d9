# python >= 3.11
from pybpf import u64, usdt


@usdt("libc", "setjmp", "")
def probe(buffer: u64) -> None:
    pass
