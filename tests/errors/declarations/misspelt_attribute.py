# python >= 3.11
import pybpf


@pybpf.tracepoints("sched:sched_switch")
def probe(ctx: pybpf.TracepointContext) -> None:
    pass
