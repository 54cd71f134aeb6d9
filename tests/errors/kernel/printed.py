from pybpf import TracepointContext, current_task, printk, tracepoint


@tracepoint("sched:sched_switch")
def switched(ctx: TracepointContext) -> None:
    task = current_task()
    printk(f"{task.real_parent}")
    printk(f"{task.comm} {task.mm.exe_file.f_path.dentry.d_name.name}")
