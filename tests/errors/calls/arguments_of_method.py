from pybpf import HashMap, RingBuffer, Struct, TracepointContext, comm, pid, sizeof, tracepoint, u32, u64


class Exec(Struct):
    pid: u32


counts = HashMap[u32, u64](max_entries=64)
execs = RingBuffer[Exec](4096)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    entry = counts.get()
    counts.setdefault(pid())
    value = counts.get(pid(), defualt=0)
    execs.emit(pid=pid())
    name = comm(16)
    size = sizeof()
    number = u32(1, 2)
    lowest = min(pid())
