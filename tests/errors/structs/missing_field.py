from pybpf import L, RingBuffer, Struct, Text, TracepointContext, pid, tracepoint, u32, u64


class Open(Struct):
    pid: u32
    flags: u32
    size: u64 = 0
    path: Text[L[64]]


opens = RingBuffer[Open](4096)


@tracepoint("syscalls:sys_enter_openat")
def on_open(ctx: TracepointContext) -> None:
    opens.emit(Open(pid=pid()))
    opens.emit(Open(pid=pid(), flags=ctx.flags))
