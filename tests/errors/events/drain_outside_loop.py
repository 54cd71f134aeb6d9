from pybpf import Struct, UserRingBuffer, tracepoint, TracepointContext, u32


class Command(Struct):
    pid: u32


commands = UserRingBuffer[Command](4096)


@tracepoint("sched:sched_switch")
def switched(ctx: TracepointContext) -> None:
    taken = commands.drain()
