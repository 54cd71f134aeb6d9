// SPDX-License-Identifier: MIT
// Drops DNS queries for blocked names: walks the labels of the first question, hashes the name in lower case (FNV-1a,
// 64 bits, lengths included) to look it up, and counts what was asked by type.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define MAX_NAME 64
#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

struct dnshdr { __be16 id, flags, qdcount, ancount, nscount, arcount; };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} types SEC(".maps");

SEC("xdp")
int dns_block(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct dnshdr *dns = (void *)(udp + 1);
	__u8 *p = (void *)(dns + 1);
	__u64 hash = FNV_OFFSET, *hits, *asked;
	__u32 key, left = 0;
	int i;

	if ((void *)p > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (udp->dest != bpf_htons(53) || dns->flags & bpf_htons(0x8000) || dns->qdcount != bpf_htons(1))
		return XDP_PASS;

	for (i = 0; i < MAX_NAME; i++) {
		__u8 c;

		if ((void *)(p + 1) > end)
			return XDP_DROP;
		c = *p++;
		if (left == 0) {
			if (c == 0)
				break;
			if (c > 63)
				return XDP_DROP;
			left = c;
		} else {
			if (c >= 'A' && c <= 'Z')
				c |= 0x20;
			left--;
		}
		hash = (hash ^ c) * FNV_PRIME;
	}
	if (i == MAX_NAME || (void *)(p + 4) > end)
		return XDP_DROP;
	key = p[0] << 8 | p[1];
	if (key < 256) {
		asked = bpf_map_lookup_elem(&types, &key);
		if (asked)
			__sync_fetch_and_add(asked, 1);
	}
	hits = bpf_map_lookup_elem(&blocked, &hash);
	if (!hits)
		return XDP_PASS;
	__sync_fetch_and_add(hits, 1);
	return XDP_DROP;
}
char LICENSE[] SEC("license") = "GPL";
