from pybpf import Bytes, L, TracepointContext, helpers, tracepoint


@tracepoint("syscalls:sys_enter_write")
def on_write(ctx: TracepointContext) -> None:
    head = Bytes[L[16]]()
    helpers.bpf_probe_read_user(head, 32, ctx.buf)
    helpers.bpf_probe_read_user(head, ctx.count, ctx.buf)
    helpers.bpf_get_current_comm(head, 0)
