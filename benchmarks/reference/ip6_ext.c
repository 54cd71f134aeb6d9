// SPDX-License-Identifier: MIT
// Walks the extension headers of IPv6 to the transport header: drops routing headers of type 0 (RFC 5095), chains that
// are longer than 8 headers, and what is cut short; counts packets by the transport's protocol.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define MAX_HEADERS 8
#define NEXTHDR_MOBILITY 135

struct ext { __u8 nexthdr, len, type, left; __u32 rest; };
struct seen { __u64 packets, bytes, headers; };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct seen);
} protocols SEC(".maps");

SEC("xdp")
int ip6_ext(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	void *p = ip + 1;
	struct seen *s;
	__u32 key, i;
	__u8 next;

	if (p > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	if (ip->version != 6)
		return XDP_DROP;
	next = ip->nexthdr;
	for (i = 0; i < MAX_HEADERS; i++) {
		struct ext *e = p;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT &&
		    next != IPPROTO_DSTOPTS && next != IPPROTO_AH && next != NEXTHDR_MOBILITY)
			break;
		if ((void *)(e + 1) > end)
			return XDP_DROP;
		if (next == IPPROTO_ROUTING && e->type == 0)
			return XDP_DROP;
		if (next == IPPROTO_FRAGMENT)
			p += 8;
		else if (next == IPPROTO_AH)
			p += (e->len + 2) * 4;
		else
			p += (e->len + 1) * 8;
		next = e->nexthdr;
	}
	if (i == MAX_HEADERS || p > end)
		return XDP_DROP;
	key = next;
	s = bpf_map_lookup_elem(&protocols, &key);
	if (!s)
		return XDP_ABORTED;
	s->packets++;
	s->bytes += end - data;
	s->headers += i;
	return XDP_PASS;
}
char LICENSE[] SEC("license") = "GPL";
