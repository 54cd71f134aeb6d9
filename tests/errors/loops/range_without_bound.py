from pybpf import HashMap, PtRegs, Target, TracepointContext, kprobe, tracepoint, u32, u64

TARGET = Target(kernel=(5, 15))

bytes = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_write")
def on_write(ctx: TracepointContext) -> None:
    total = 0
    for i in range(ctx.count):
        total += i
    bytes[0] = total


@kprobe("vfs_read")
def read(ctx: PtRegs, file: u64, count: u64) -> None:
    for i in range(0, count // 4096):
        bytes[0] += i
    for i in range(1_000_000):
        bytes[1] += i
