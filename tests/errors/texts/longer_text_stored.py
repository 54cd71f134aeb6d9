from pybpf import HashMap, L, Struct, Text, TracepointContext, comm, tracepoint, u64


class Name(Struct):
    comm: Text[L[8]]


names = HashMap[Name, u64](max_entries=64)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    name = comm()
    names[Name(comm=name)] += 1
    short: Text[L[8]] = name
    names[Name(comm=short)] += 1
