from pybpf import HashMap, TracepointContext, i32, tracepoint, u32, u64

OTHERS = -1
by_fd = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_exit_openat")
def on_open(ctx: TracepointContext) -> None:
    error: i32 = -13
    by_fd[error] += 1
    by_fd[OTHERS] += 1
