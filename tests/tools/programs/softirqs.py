"""Soft interrupts: how often and how long, by kind. After softirqs of libbpf-tools."""

from pybpf import ArrayMap, PerCpuArray, Struct, TracepointContext, ktime, tracepoint, u64

KINDS = 10


class Total(Struct):
    count: u64
    time: u64


start = PerCpuArray[u64](1)
totals = ArrayMap[Total](KINDS)


@tracepoint("irq:softirq_entry")
def entry(ctx: TracepointContext) -> None:
    start[0] = ktime()


@tracepoint("irq:softirq_exit")
def exit(ctx: TracepointContext) -> None:
    began = start[0]
    total = totals.get(ctx.vec)
    if total is None or not began:
        return
    total.count += 1
    total.time += ktime() - began
    start[0] = 0
