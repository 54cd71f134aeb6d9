from pybpf import TracepointContext, const, pid, tracepoint, u32

LIMIT = 10
limit = const(u32, 10)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    me = pid()
    again = me()
    most = limit()
    least = LIMIT()
    fields = ctx()
