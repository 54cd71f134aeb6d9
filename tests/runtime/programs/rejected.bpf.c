// Programs that the verifier rejects, each for another reason.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");

SEC("raw_tp/sys_enter")
int unchecked(void *ctx)
{
	__u32 key = 1;
	__u64 *found = bpf_map_lookup_elem(&seen, &key);
	return *found; // no check
}
char LICENSE[] SEC("license") = "GPL";
