from pybpf import SessionContext, Target, i64, kprobe, ksyscall, u64
from pybpf.kernel import task_struct

TARGET = Target(kernel=(6, 13))


@kprobe("do_unlinkat")
def too_wide(dfd: i64) -> None:
    pass


@kprobe("do_unlinkat")
def other_struct(name: task_struct) -> None:
    pass


@ksyscall("openat")
def system_call(flags: u64) -> None:
    pass


@kprobe("vfs_fsync_range")
def flag(datasync: bool) -> None:
    pass


@kprobe.session("vfs_*")
def answer(ctx: SessionContext) -> int:
    return 2
