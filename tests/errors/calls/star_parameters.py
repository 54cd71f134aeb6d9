from pybpf import PtRegs, TracepointContext, kprobe, pid, tracepoint, u64


def log(message: str, **fields: u64) -> None:
    pass


@kprobe("do_unlinkat")
def unlink(ctx: PtRegs, *arguments: u64) -> None:
    pass


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    log("exec", pid=pid())
