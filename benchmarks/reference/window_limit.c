// SPDX-License-Identifier: MIT
// At most so many packets of a source in a sliding window of eight slots. UDP packets bring their own clock, as
// big-endian nanoseconds, so that what happens is a function of the input alone.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define SLOTS 8
#define SLOT_NS 125000000ull
#define LIMIT 100

struct window {
	__u64 slot;
	__u32 counts[SLOTS];
	__u64 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __be32);
	__type(value, struct window);
} windows SEC(".maps");

SEC("xdp")
int window_limit(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__be64 *stamp = (void *)(udp + 1);
	struct window *window;
	__u32 total = 0;
	__be32 source;
	__u64 slot;
	int i;

	if ((void *)(stamp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	slot = bpf_be64_to_cpu(*stamp) / SLOT_NS;
	source = ip->saddr;
	window = bpf_map_lookup_elem(&windows, &source);
	if (!window) {
		struct window fresh = { .slot = slot };

		fresh.counts[slot % SLOTS] = 1;
		bpf_map_update_elem(&windows, &source, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	if (slot > window->slot) {
		__u64 passed = slot - window->slot;

		for (i = 1; i <= SLOTS; i++) {
			if (i > passed)
				break;
			window->counts[(window->slot + i) % SLOTS] = 0;
		}
		window->slot = slot;
	}
	for (i = 0; i < SLOTS; i++)
		total += window->counts[i];
	if (total >= LIMIT) {
		__sync_fetch_and_add(&window->dropped, 1);
		return XDP_DROP;
	}
	__sync_fetch_and_add(&window->counts[window->slot % SLOTS], 1);
	return XDP_PASS;
}
char LICENSE[] SEC("license") = "GPL";
