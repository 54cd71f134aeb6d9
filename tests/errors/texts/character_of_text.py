from pybpf import HashMap, L, Struct, Text, TracepointContext, comm, printk, tracepoint, u32


class Task(Struct):
    name: Text[L[16]]


tasks = HashMap[u32, Task](max_entries=8)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    name = comm()
    if name[-1] == "k":
        printk("a kernel thread, perhaps")
    task = tasks.get(1)
    if task is not None:
        task.name[0] = "x"
    for i in range(20):
        if name[i] == "/":
            return
