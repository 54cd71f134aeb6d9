from pybpf import XDP, Array, L, Struct, TracepointContext, XdpContext, const, subprog, tracepoint, u32, u64, xdp
from pybpf.net import ethhdr


class Sample(Struct):
    size: u64


sizes = const(Array[u32, L[4]], [1, 2, 4, 8])


@subprog(global_=True)
def scale(value, by: int) -> u64:
    return value * by


@subprog(global_=True)
def scaled(value: u64, by: int) -> u64:
    return value * by


@subprog(global_=True)
def weight(sample: Sample) -> u64:
    return sample.size * 2


@subprog(global_=True)
def total(given: Array[u32, L[4]] | None) -> u32:
    return given[0] if given is not None else 0


@subprog(global_=True)
def kind(pkt: XdpContext) -> u32:
    eth = pkt.parse(ethhdr)
    return eth.h_proto if eth is not None else 0


@subprog(global_=True)
def optional(size: u64 | None) -> u64:
    return size if size is not None else 0


@xdp
def count(pkt: XdpContext) -> XDP:
    sample = Sample(size=3)
    scale(3, 4)
    scaled(3, 4)
    weight(sample)
    total(sizes)
    kind(pkt)
    optional(4)
    return XDP.PASS


@subprog(global_=True)
def process(ctx: TracepointContext) -> u32:
    return 1


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    process(ctx)
