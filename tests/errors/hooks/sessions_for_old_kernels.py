from pybpf import SessionContext, kprobe, uprobe


@kprobe.session("vfs_*")
def kernel_session(ctx: SessionContext) -> int:
    return 0


@uprobe.session("libc", "malloc")
def user_session(ctx: SessionContext) -> int:
    return 0
