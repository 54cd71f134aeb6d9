from pybpf import PtRegs, kprobe
from pybpf import TracepointContext, tracepoint, RawTracepointContext, raw_tp, Array, L, u8


@raw_tp("sched_switch")
def probe(ctx: RawTracepointContext) -> None:
    ctx.args[0] = 0
