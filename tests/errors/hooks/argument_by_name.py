from pybpf import fentry, i64


@fentry("vfs_fsync_range")
def synced(start: i64, stop: i64) -> None:
    pass
