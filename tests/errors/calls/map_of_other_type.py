from pybpf import HashMap, RingBuffer, TracepointContext, comm, helpers, tracepoint, u32, u64

counts = HashMap[u32, u64](max_entries=64)
events = RingBuffer[u64](4096)


@tracepoint("syscalls:sys_enter_openat")
def probe(ctx: TracepointContext) -> None:
    helpers.bpf_ringbuf_output(counts, comm(), 16, 0)
    helpers.bpf_map_push_elem(counts, 3, 0)
    helpers.bpf_map_update_elem(events, 1, 2, 0)
