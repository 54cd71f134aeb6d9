from pybpf import HashMap, TracepointContext, ktime, pid, tracepoint, u32, u64

started = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_exit_write")
def on_exit(ctx: TracepointContext) -> None:
    if pid() < 0:
        return
    begin = started.pop(pid(), 0)
    if ktime() - begin < 0:
        return
    if pid() == -1:
        return
    if pid() <= 0xFFFF_FFFF:
        return
