"""E044x: perf events, stack traces, what user space sends."""

from __future__ import annotations

from pybpf.compiler.diagnostics.advice import Advised

__all__ = ["ContextOutOfReach", "DrainOutsideLoop", "NoPacketHere", "TooMuchOfPacket"]


class DrainOutsideLoop(Advised):
    """`drain()` outside a `for` statement.

    The kernel hands over what user space has sent one by one, each to the body of the loop.

        taken = commands.drain()               # fails

        for command in commands.drain():       # works
            limits[command.pid] = command.limit
    """

    name: str

    code = "E0440"
    title = "`{name}.drain()` stands only in a `for` statement"
    label = "there is no list of what was sent"
    way_out = "write:"
    lines = ("for command in {name}.drain():", "    ...")


class ContextOutOfReach(Advised):
    """A perf event or a stack trace in a function that is not given the program's context.

    The kernel takes both from the context. It is at hand in a program, in what is inlined there, and in a plain
    subprogram; not in a timer's callback, where no event has happened, nor in a global subprogram, which is verified
    without its callers.

        @subprog(global_=True)
        def report(number: u32) -> None:
            samples.emit(Sample(number=number))                    # fails

        @subprog
        def report(number: u32) -> None:
            samples.emit(Sample(number=number))                    # works
    """

    what: str
    where: str

    code = "E0441"
    title = "`{what}` needs the program's context, which {where} does not have"
    label = "takes it from the context"
    way_out = "do it in the program, or in a function without @subprog: it is inlined there"


class NoPacketHere(Advised):
    """An event is to take bytes of the packet along, in a program that the kernel gives no packet.

    Programs of XDP, TC, socket filters, cgroup_skb and lightweight tunnels have one (net/core/filter.c).

        @tracepoint("sched:sched_switch")
        def switched(ctx: TracepointContext) -> None:
            samples.emit(Sample(number=1), packet=64)      # fails

        @xdp
        def ingress(pkt: XdpContext) -> XDP:
            samples.emit(Sample(number=1), packet=64)      # works
    """

    name: str
    program: str

    code = "E0442"
    title = "`{name}.emit()` can't take bytes of the packet: {program} programs see none"
    label = "there is no packet"
    way_out = "leave out `packet=`, and put what you want to send into the event"


class TooMuchOfPacket(Advised):
    """An event is to take more bytes of the packet along than the kernel can copy, or a negative count.

    The count is a number of 20 bits (BPF_F_CTXLEN_MASK).

        samples.emit(Sample(length=size), packet=size)                 # fails: an int may be anything
        samples.emit(Sample(length=size), packet=min(size, 256))       # works, where size is unsigned
    """

    name: str
    text: str
    most: int

    code = "E0443"
    title = "`packet` of {name}.emit() must lie between 0 and {most}"
    label = "not known to"
    way_out = "cut it:"
    lines = ("packet=max(0, min({text}, 256))",)
