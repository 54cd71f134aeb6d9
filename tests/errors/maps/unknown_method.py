from pybpf import ArrayMap, HashMap, RingBuffer, Struct, TracepointContext, pid, tracepoint, u32, u64


class Exec(Struct):
    pid: u32


seen = HashMap[u32, u64](max_entries=64)
slots = ArrayMap[u64](max_entries=4)
execs = RingBuffer[Exec](4096)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    seen.set_default(pid(), 0)
    seen.update(pid(), 1)
    seen.clear()
    seen.increment(pid())
    slots.pop(1, None)
    execs.submit(Exec(pid=pid()))
    execs.output(Exec(pid=pid()))
