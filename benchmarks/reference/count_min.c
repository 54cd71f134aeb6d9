// SPDX-License-Identifier: MIT
// Heavy hitters: a count-min sketch of four rows over the kernel's jhash of IPv4 source addresses; a source whose
// estimate reaches a threshold is kept in an LRU map with its estimate, and its packets are dropped from then on.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define ROWS 4
#define COLUMNS 512
#define THRESHOLD 100
#define JHASH_INITVAL 0xdeadbeef

struct row { __u32 counts[COLUMNS]; };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ROWS);
	__type(key, __u32);
	__type(value, struct row);
} sketch SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 128);
	__type(key, __be32);
	__type(value, __u64);
} heavy SEC(".maps");

static __always_inline __u32 rol32(__u32 word, unsigned int shift)
{
	return (word << shift) | (word >> ((-shift) & 31));
}

static __always_inline __u32 jhash_1word(__u32 a, __u32 initval)
{
	__u32 b, c;

	a += initval + JHASH_INITVAL + 4;
	b = c = initval + JHASH_INITVAL + 4;
	c ^= b; c -= rol32(b, 14);
	a ^= c; a -= rol32(c, 11);
	b ^= a; b -= rol32(a, 25);
	c ^= b; c -= rol32(b, 16);
	a ^= c; a -= rol32(c, 4);
	b ^= a; b -= rol32(a, 14);
	c ^= b; c -= rol32(b, 24);
	return c;
}

SEC("tc")
int count_min(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__u32 least = ~0u;
	__u64 estimate;
	__be32 source;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	source = ip->saddr;
	for (__u32 i = 0; i < ROWS; i++) {
		__u32 column = jhash_1word(bpf_ntohl(source), i) % COLUMNS, key = i, count;
		struct row *row = bpf_map_lookup_elem(&sketch, &key);

		if (!row)
			return 0;
		count = ++row->counts[column];
		if (count < least)
			least = count;
	}
	if (least < THRESHOLD)
		return 0;
	estimate = least;
	bpf_map_update_elem(&heavy, &source, &estimate, BPF_ANY);
	return 2;
}
char LICENSE[] SEC("license") = "GPL";
