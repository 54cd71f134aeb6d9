from pybpf import TracepointContext, tracepoint, u64


class SysEnterOpenat(TracepointContext):
    filname: u64


@tracepoint("syscalls:sys_enter_openat")
def probe(ctx: SysEnterOpenat) -> None:
    pass
