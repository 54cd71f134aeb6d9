from pybpf import PerfEventArray, StackTrace, Struct, TracepointContext, XDP, XdpContext, tracepoint, u32, xdp


class Sample(Struct):
    number: u32


samples = PerfEventArray[Sample](8)
stacks = StackTrace(16)


@tracepoint("sched:sched_switch")
def switched(ctx: TracepointContext) -> None:
    samples.emit(Sample(number=1), packet=64)


@xdp
def ingress(pkt: XdpContext) -> XDP:
    samples.emit(Sample(number=1), packet=1 << 20)
    if stacks.id() is not None:
        return XDP.DROP
    return XDP.PASS


@tracepoint("sched:sched_wakeup")
def woken(ctx: TracepointContext) -> None:
    stacks.id(skip=256)
