from pybpf import Bytes, L, fentry, helpers, lsm


@fentry("vfs_read")
def probe(file) -> None:
    path = Bytes[L[64]]()
    helpers.bpf_d_path(file.f_path, path, 64)


@lsm.cgroup("sk_free_security")
def freed(sk) -> None:
    helpers.bpf_set_retval(-1)
