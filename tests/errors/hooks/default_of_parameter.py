from pybpf import PtRegs, TracepointContext, kprobe, pid, tracepoint, u32, u64


@kprobe("vfs_read")
def read(ctx: PtRegs, file: u64, count: u64 = 4096) -> None:
    pass


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext, *, only: u32 = 0) -> None:
    if only != 0 and pid() != only:
        return
