# python >= 3.11
from pybpf import TracepointContext, raw_tp, tracepoint


@raw_tp("sched_switch")
@tracepoint("sched:sched_switch")
def probe(ctx: TracepointContext) -> None:
    pass
