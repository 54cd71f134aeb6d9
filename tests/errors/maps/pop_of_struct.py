from pybpf import HashMap, Struct, TracepointContext, ktime, printk, tid, tracepoint, u32, u64


class Call(Struct):
    started: u64
    size: u64


calls = HashMap[u32, Call](max_entries=1024)


@tracepoint("syscalls:sys_exit_read")
def on_exit(ctx: TracepointContext) -> None:
    call = calls.pop(tid(), None)
    if call is not None:
        printk(f"{ktime() - call.started}")
