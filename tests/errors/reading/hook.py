# python >= 3.11
from pybpf import TracepointContext, tracepoint


@tracepoint("sys_enter_openat")
def probe(ctx: TracepointContext) -> None:
    pass
