from pybpf import TracepointContext, helpers, tracepoint


@tracepoint("syscalls:sys_enter_openat")
def prog(ctx: TracepointContext) -> None:
    helpers.bpf_copy_from_user(0, 16, ctx.filename)  # wrong
