from pybpf import RingBuffer, Struct, TracepointContext, pid, tracepoint, u32


class Exec(Struct):
    pid: u32


execs = RingBuffer[Exec](4096)


def new_event() -> Exec | None:
    with execs.reserve() as event:
        if event is not None:
            event.pid = 0
            return event
    return None


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    event = new_event()
    if event is not None:
        event.pid = pid()
