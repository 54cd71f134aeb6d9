# python >= 3.11
from pybpf import ksyscall, u64


@ksyscall("__x64_sys_openat")
def probe(filename: u64) -> None:
    pass
