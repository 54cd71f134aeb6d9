// A rejection inside a subprogram: the log has a caller.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");

static __attribute__((noinline)) __u64 peek(__u32 key)
{
	__u64 *found = bpf_map_lookup_elem(&seen, &key);
	return *found; // in the subprogram
}

SEC("raw_tp/sys_enter")
int outer(void *ctx)
{
	return peek(bpf_get_smp_processor_id()); // the call
}
char LICENSE[] SEC("license") = "GPL";
