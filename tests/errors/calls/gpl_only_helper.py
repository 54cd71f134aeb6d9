from pybpf import Target, TracepointContext, helpers, printk, tracepoint

TARGET = Target(license="Proprietary")


@tracepoint("syscalls:sys_enter_openat")
def on_open(ctx: TracepointContext) -> None:
    printk("open")
    helpers.bpf_send_signal(0)
    helpers.bpf_get_current_task_btf()
