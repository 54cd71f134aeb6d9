from pybpf import HashMap, TracepointContext, pid, tracepoint, u32, u64

counts = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_openat")
def probe(ctx: TracepointContext) -> None:
    counts[pid()]++
