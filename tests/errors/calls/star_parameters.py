from pybpf import PtRegs, TracepointContext, kprobe, pid, tid, tracepoint, u64


def total(*numbers: u64) -> u64:
    return numbers[0]


def log(message: str, **fields: u64) -> None:
    pass


@kprobe("do_unlinkat")
def unlink(ctx: PtRegs, *arguments: u64) -> None:
    pass


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    both = total(pid(), tid())
    log("exec", pid=pid())
