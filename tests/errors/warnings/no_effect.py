from pybpf import HashMap, TracepointContext, pid, tracepoint, u32, u64

counts = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_write")
def on_write(ctx: TracepointContext) -> None:
    """Count writes."""
    key = pid()
    key + 1
    key == 1
    counts
    "a second docstring"
    ...
