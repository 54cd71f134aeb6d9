from pybpf import TracepointContext, pid, tracepoint


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    print("exec by", pid())
    text = str(pid())
    pids = list()
    order = sorted((1, 2))
