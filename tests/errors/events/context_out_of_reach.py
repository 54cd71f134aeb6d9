from pybpf import PerfEventArray, Struct, TracepointContext, subprog, tracepoint, u32


class Sample(Struct):
    number: u32


samples = PerfEventArray[Sample](8)


@subprog(global_=True)
def report(number: u32) -> None:
    samples.emit(Sample(number=number))


@tracepoint("sched:sched_switch")
def switched(ctx: TracepointContext) -> None:
    report(7)
