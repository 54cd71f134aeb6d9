from pybpf import Target, TracepointContext, i32, kprobe, kretprobe, ksyscall, raw_tp, u64

TARGET = Target(kernel=(6, 13))


@kprobe("do_unlinkat")
def misspelt(fdf: i32) -> None:
    pass


@kprobe("of_no_kernel")
def not_described(file: u64) -> None:
    pass


@kprobe("do_unlinkat", offset=4)
def inside(dfd: i32) -> None:
    pass


@kretprobe("put_task_struct_rcu_user")
def nothing(result: u64) -> None:
    pass


@ksyscall("openat")
def of_a_system_call(file_name: u64) -> None:
    pass


@ksyscall("getppid")
def of_none(first: u64) -> None:
    pass


@kprobe.session("vfs_*")
def of_other_context(ctx: TracepointContext) -> int:
    return 0


@kprobe.multi(["vfs_read", "vfs_write"])
def many(file: u64) -> None:
    pass


@kprobe.session("do_unlinkat")
def both(dfd: i32) -> int:
    return 0


@raw_tp.writable("bpf_test_finish")
def number(error: i32) -> None:
    pass
