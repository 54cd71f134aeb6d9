from pybpf import Bytes, HashMap, L, Struct, Text, TracepointContext, tracepoint, u64


class Name(Struct):
    comm: Text[L[8]]
    magic: Bytes[L[4]]


names = HashMap[Name, u64](max_entries=64)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    names[Name(comm="postgresql", magic=b"\x7fELF")] += 1
    names[Name(comm="naïveté😀", magic=b"\x7fELF")] += 1
    names[Name(comm="sshd", magic=b"\x7fEL")] += 1
