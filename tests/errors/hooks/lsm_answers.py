from pybpf import lsm
from pybpf.kernel import file


@lsm("file_open")
def guard(file: file) -> int:
    return 1 if file.f_flags else 0
