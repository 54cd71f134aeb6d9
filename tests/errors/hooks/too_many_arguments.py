from pybpf import PtRegs, kprobe, kretprobe, raw_tp, u64


@kprobe("do_unlinkat")
def unlink(ctx: PtRegs, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> None:
    pass


@kretprobe("do_unlinkat")
def unlinked(ctx: PtRegs, result: u64, path: u64) -> None:
    pass


@raw_tp("sched_switch")
def on_switch(preempt: u64, prev: u64, next: u64, prev_state: u64, why: u64) -> None:
    pass
