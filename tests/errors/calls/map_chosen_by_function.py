from pybpf import HashMap, TracepointContext, pid, tracepoint, u32, u64

reads = HashMap[u32, u64](max_entries=64)
calls = HashMap[u32, u64](max_entries=64)


def counter():
    calls[pid()] += 1
    return reads


@tracepoint("syscalls:sys_enter_read")
def on_read(ctx: TracepointContext) -> None:
    counter()[pid()] += 1
    table = counter()
    table[pid()] += 1
