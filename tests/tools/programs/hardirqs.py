"""Hardware interrupts: how often and how long, by name of the handler. After hardirqs of libbpf-tools."""

from pybpf import HashMap, L, PerCpuArray, Struct, Text, TracepointContext, ktime, tracepoint, u64


class Handler(Struct):
    name: Text[L[32]]


class Total(Struct):
    count: u64
    time: u64


names = PerCpuArray[Handler](1)
start = PerCpuArray[u64](1)
totals = HashMap[Handler, Total](max_entries=256)


@tracepoint("irq:irq_handler_entry")
def entry(ctx: TracepointContext) -> None:
    names[0].name = ctx.name
    start[0] = ktime()


@tracepoint("irq:irq_handler_exit")
def exit(ctx: TracepointContext) -> None:
    began = start[0]
    if not began:
        return
    total = totals.setdefault(names[0], Total(count=0, time=0))
    if total is not None:
        total.count += 1
        total.time += ktime() - began
    start[0] = 0
