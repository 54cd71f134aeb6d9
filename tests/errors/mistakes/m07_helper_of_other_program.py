from pybpf import TracepointContext, helpers, tracepoint


@tracepoint("syscalls:sys_enter_openat")
def prog(ctx: TracepointContext) -> None:
    helpers.bpf_skb_load_bytes(ctx, 0, 0, 4)  # wrong
