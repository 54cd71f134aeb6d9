from pybpf import TracepointContext, pid, printk, tracepoint

counts = {}
seen = {1, 2}
names = [1, 2]


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    counts.setdefault(pid(), 0)
    seen.add(pid())
    names.append(pid())
    for key, value in counts.items():
        printk(f"{key} {value}")
