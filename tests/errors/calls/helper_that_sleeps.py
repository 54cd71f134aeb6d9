from pybpf import Bytes, L, TracepointContext, helpers, tracepoint


@tracepoint("syscalls:sys_enter_write")
def on_write(ctx: TracepointContext) -> None:
    head = Bytes[L[16]]()
    helpers.bpf_copy_from_user(head, 16, ctx.buf)
