from pybpf import Array, HashMap, L, PtRegs, Struct, Text, comm, kprobe, pid, u8, u16, u32, u64


class Flow(Struct):
    addr: u32
    port: u16


class Name(Struct):
    name: Text[L[16]]


by_pid = HashMap[u32, u64](max_entries=64)
by_flow = HashMap[Flow, u64](max_entries=64)
by_name = HashMap[Text[L[16]], u64](max_entries=64)


@kprobe("vfs_read")
def probe(ctx: PtRegs) -> None:
    by_pid["root"] += 1
    by_pid[comm()] += 1
    by_flow[pid()] += 1
    by_name[pid()] += 1
    by_flow[Name(name=comm())] += 1
