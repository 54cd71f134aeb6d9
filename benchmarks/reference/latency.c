// SPDX-License-Identifier: MIT
// How long calls take, as tracers measure it: enter and exit events (here the payload of UDP packets, read by a socket
// filter) of processes with one name, a histogram by powers of two, and count, sum and greatest of each process.
#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#define SLOTS 27
#define ENTER 1
#define EXIT 2

struct event {
	__u32 kind, pid, tid, error;
	__u64 time;
	char comm[16];
};
struct start { __u64 time; __u32 pid; };
struct stat { __u64 calls, errors, total, max; };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, struct start);
} starts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct stat);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} hist SEC(".maps");

static const char target[] = "nginx";

static __always_inline int wanted(const char *comm)
{
	for (int i = 0; i < sizeof(target); i++) {
		if (comm[i] != target[i])
			return 0;
	}
	return 1;
}

static __always_inline __u64 log2_u32(__u32 v)
{
	__u32 shift, r;

	r = (v > 0xffff) << 4; v >>= r;
	shift = (v > 0xff) << 3; v >>= shift; r |= shift;
	shift = (v > 0xf) << 2; v >>= shift; r |= shift;
	shift = (v > 0x3) << 1; v >>= shift; r |= shift;
	r |= v >> 1;
	return r;
}

static __always_inline __u64 log2_u64(__u64 v)
{
	__u32 hi = v >> 32;

	return hi ? log2_u32(hi) + 32 : log2_u32(v);
}

SEC("socket")
int latency(struct __sk_buff *skb)
{
	struct start fresh = {}, *start;
	struct stat first = {}, *stat;
	struct event event;
	__u64 took, *count;
	__u32 slot;

	if (bpf_skb_load_bytes(skb, 28, &event, sizeof(event)))
		return 0;
	if (!wanted(event.comm))
		return 0;
	if (event.kind == ENTER) {
		fresh.time = event.time;
		fresh.pid = event.pid;
		bpf_map_update_elem(&starts, &event.tid, &fresh, BPF_ANY);
		return 1;
	}
	if (event.kind != EXIT)
		return 0;
	start = bpf_map_lookup_elem(&starts, &event.tid);
	if (!start)
		return 0;
	took = (event.time - start->time) / 1000;
	bpf_map_delete_elem(&starts, &event.tid);

	slot = log2_u64(took);
	if (slot >= SLOTS)
		slot = SLOTS - 1;
	count = bpf_map_lookup_elem(&hist, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
	stat = bpf_map_lookup_elem(&stats, &event.pid);
	if (!stat) {
		bpf_map_update_elem(&stats, &event.pid, &first, BPF_NOEXIST);
		stat = bpf_map_lookup_elem(&stats, &event.pid);
		if (!stat)
			return 0;
	}
	__sync_fetch_and_add(&stat->calls, 1);
	__sync_fetch_and_add(&stat->total, took);
	if (event.error)
		__sync_fetch_and_add(&stat->errors, 1);
	if (took > stat->max)
		stat->max = took;
	return 2;
}
char LICENSE[] SEC("license") = "GPL";
