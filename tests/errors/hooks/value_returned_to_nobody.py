from pybpf import PtRegs, TracepointContext, kprobe, pid, tracepoint


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    if pid() == 1:
        return 0
    return None


@kprobe("do_unlinkat")
def unlink(ctx: PtRegs):
    return 0
