from pybpf import RingBuffer, TracepointContext, pid, tracepoint, u32

pids = RingBuffer[u32](4096)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    with pids.reserve() as slot:
        if slot is not None:
            slot = pid()
