from pybpf import HashMap, L, Text, TracepointContext, comm, printk, tracepoint, u64

names = HashMap[Text[L[32]], u64](max_entries=64)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    names[comm() + "!"] += 1
    printk("exec of " + comm())
    printk("exec of %s" % comm())
