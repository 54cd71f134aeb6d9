"""Built for a kernel that does not have what the program uses yet."""

from pybpf import RingBuffer, Struct, Target, TracepointContext, helpers, printk, tracepoint, u64

TARGET = Target(kernel=(5, 4))


class Event(Struct):
    time: u64


events = RingBuffer[Event](4096)


@tracepoint("syscalls:sys_enter_openat")
def opened(ctx: TracepointContext) -> None:
    events.emit(Event(time=helpers.bpf_ktime_get_boot_ns()))
    now = helpers.bpf_ktime_get_boot_ns()
    printk(f"{now} {ctx.dfd} {ctx.flags} {ctx.mode}")
