from pybpf import TracepointContext, HashMap, tracepoint, u32, u64, var


@tracepoint("syscalls:sys_enter_openat")
def probe(ctx: TracepointContext) -> None:
    counts = HashMap[u32, u64](max_entries=64)
    counts[0] = 1
    total = var(u64, 0)
