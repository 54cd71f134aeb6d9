from pybpf import HashMap, TracepointContext, ktime, tid, tracepoint, u32, u64

started = HashMap[u32, u64](max_entries=1024)
slowest = HashMap[u32, u64](max_entries=1024)


@tracepoint("syscalls:sys_exit_read")
def on_exit(ctx: TracepointContext) -> None:
    slowest[tid()] = ktime() - started.pop(tid())
