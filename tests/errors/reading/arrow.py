from pybpf import TracepointContext, tracepoint


@tracepoint("syscalls:sys_enter_openat")
def probe(ctx: TracepointContext) -> None:
    name = ctx->filename
