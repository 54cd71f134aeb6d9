from pybpf import L, RingBuffer, Struct, Target, Text, TracepointContext, helpers, printk, tracepoint

TARGET = Target(license="Proprietary")


class Exec(Struct):
    file: Text[L[64]]


execs = RingBuffer[Exec](4096)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    execs.emit(Exec(file=ctx.filename))


@tracepoint("syscalls:sys_enter_openat")
def on_open(ctx: TracepointContext) -> None:
    printk("open")
    helpers.bpf_send_signal(0)
    helpers.bpf_get_current_task_btf()
