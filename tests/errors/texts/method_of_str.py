from pybpf import TracepointContext, comm, tracepoint


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    name = comm()
    upper = name.upper()
    joined = ", ".join(name)
