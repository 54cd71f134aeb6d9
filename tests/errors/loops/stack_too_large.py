from pybpf import Array, HashMap, L, Struct, Text, TracepointContext, comm, pid, tracepoint, u32, u64, user_str


class Open(Struct):
    pid: u32
    comm: Text[L[16]]
    path: Text[L[512]]


last = HashMap[u32, Open](max_entries=64)
sums = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_openat")
def on_open(ctx: TracepointContext) -> None:
    event = Open(pid=pid(), comm=comm(), path=user_str(ctx.filename))
    last[pid()] = event


@tracepoint("sched:sched_switch")
def histogram(ctx: TracepointContext) -> None:
    slots = Array[u64, L[64]]()
    for i in range(64):
        slots[i] = i
    sums[pid()] = slots[7]
