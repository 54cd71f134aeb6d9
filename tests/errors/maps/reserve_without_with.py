from pybpf import RingBuffer, Struct, TracepointContext, pid, tracepoint, u32


class Exec(Struct):
    pid: u32


execs = RingBuffer[Exec](4096)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    event = execs.reserve()
    if event is None:
        return
    event.pid = pid()
