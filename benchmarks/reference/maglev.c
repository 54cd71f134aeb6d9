// SPDX-License-Identifier: MIT
// Consistent hashing as Maglev and Katran do it: the kernel's jhash of addresses, ports and protocol picks a slot of a
// table, the slot a backend; the frame is sent to the backend's MAC address. Packets and bytes are counted per backend.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define SLOTS 251
#define BACKENDS 16
#define JHASH_INITVAL 0xdeadbeef

struct backend { __u8 mac[6]; __u16 up; };
struct stat { __u64 packets, bytes; };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be32);
	__type(value, __u32);
} vips SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} ring SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct stat);
} stats SEC(".maps");

static __always_inline __u32 rol32(__u32 word, unsigned int shift)
{
	return (word << shift) | (word >> ((-shift) & 31));
}

static __always_inline __u32 jhash_3words(__u32 a, __u32 b, __u32 c, __u32 initval)
{
	a += initval + JHASH_INITVAL + 12;
	b += initval + JHASH_INITVAL + 12;
	c += initval + JHASH_INITVAL + 12;
	c ^= b; c -= rol32(b, 14);
	a ^= c; a -= rol32(c, 11);
	b ^= a; b -= rol32(a, 25);
	c ^= b; c -= rol32(b, 16);
	a ^= c; a -= rol32(c, 4);
	b ^= a; b -= rol32(a, 14);
	c ^= b; c -= rol32(b, 24);
	return c;
}

SEC("xdp")
int maglev(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__be16 *ports = (void *)(ip + 1);
	__u32 hash, slot, *seed, *index;
	struct backend *to;
	struct stat *s;

	if ((void *)(ports + 2) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	seed = bpf_map_lookup_elem(&vips, &ip->daddr);
	if (!seed)
		return XDP_PASS;
	hash = jhash_3words(bpf_ntohl(ip->saddr), bpf_ntohl(ip->daddr),
			    (__u32)bpf_ntohs(ports[0]) << 16 | bpf_ntohs(ports[1]), *seed + ip->protocol);
	slot = hash % SLOTS;
	index = bpf_map_lookup_elem(&ring, &slot);
	if (!index)
		return XDP_ABORTED;
	to = bpf_map_lookup_elem(&backends, index);
	if (!to || !to->up)
		return XDP_DROP;
	__builtin_memcpy(eth->h_source, eth->h_dest, 6);
	__builtin_memcpy(eth->h_dest, to->mac, 6);
	s = bpf_map_lookup_elem(&stats, index);
	if (s) {
		s->packets++;
		s->bytes += end - data;
	}
	return XDP_TX;
}
char LICENSE[] SEC("license") = "GPL";
