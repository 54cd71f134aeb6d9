from pybpf import Bytes, L, fentry, helpers


@fentry("vfs_read")
def probe(file) -> None:
    path = Bytes[L[64]]()
    helpers.bpf_d_path(file.f_path, path, 64)
