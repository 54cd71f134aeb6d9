from pybpf import HashMap, Struct, TracepointContext, pid, tid, tracepoint, u32, u64


class Task(Struct):
    pid: u32
    tid: u32


switches = HashMap[Task, u64](max_entries=64)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    switches[Task(pid=pid(), tidd=tid())] += 1
    switches[Task(pid=pid(), tid=tid(), cpu=0)] += 1
