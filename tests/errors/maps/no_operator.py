from pybpf import LpmTrie, Queue, Struct, be32, TracepointContext, tracepoint, u32, u64


class Prefix(Struct):
    bits: u32
    addr: be32


routes = LpmTrie[Prefix, u64](max_entries=16)
jobs = Queue[u64](16)


@tracepoint("sched:sched_switch")
def noticed(ctx: TracepointContext) -> None:
    jobs[0] = 1
    routes[Prefix(bits=32, addr=1)] += 1
    if 3 in jobs:
        routes.pop(Prefix(bits=32, addr=1), None)
