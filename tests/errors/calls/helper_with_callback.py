from pybpf import HashMap, TracepointContext, helpers, tracepoint, u32, u64

counts = HashMap[u32, u64](max_entries=64)


def show(index: u64, context: u64) -> int:
    return 0


@tracepoint("syscalls:sys_enter_write")
def on_write(ctx: TracepointContext) -> None:
    helpers.bpf_loop(10, show, None, 0)
    helpers.bpf_for_each_map_elem(counts, show, None, 0)
    helpers.bpf_trace_printk("hello", 6, 0, 0, 0)
