from pybpf import HashMap, TracepointContext, pid, tracepoint, u32, u64

rates = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_write")
def on_write(ctx: TracepointContext) -> None:
    rates[pid()] = 1_000_000 // ctx.count
    rates[1] = pid() % (ctx.count & 7)
