from pybpf import RingBuffer, Struct, TracepointContext, pid, tracepoint, u32


class Exec(Struct):
    pid: u32


execs = RingBuffer[Exec](4096)


def cancel(event: Exec) -> None:
    event.discard()


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    with execs.reserve() as event:
        if event is not None:
            event.pid = pid()
            if event.pid == 1:
                cancel(event)


@tracepoint("sched:sched_process_exit")
def on_exit(ctx: TracepointContext) -> None:
    with execs.reserve() as event:
        if event is not None:
            same = event
            same.discard()
