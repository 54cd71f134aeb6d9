from pybpf import HashMap, TracepointContext, helpers, pid, tracepoint, u32, u64

counts = HashMap[u32, u64](max_entries=64)


@tracepoint("sched:sched_process_exec")
def on_exec(ctx: TracepointContext) -> None:
    now = helpers.bpf_ktime_get_ns(0)
    helpers.bpf_map_update_elem(counts, pid(), 1)
    helpers.bpf_send_signal(sig=9)
