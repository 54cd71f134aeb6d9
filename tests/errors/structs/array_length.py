from pybpf import Array, L, RingBuffer, Struct, TracepointContext, tracepoint, u16

PORTS = (80, 443, 8080)


class Sample(Struct):
    values: Array[u16, L[4]]


samples = RingBuffer[Sample](4096)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    samples.emit(Sample(values=[1, 2, 3]))
    samples.emit(Sample(values=PORTS))
