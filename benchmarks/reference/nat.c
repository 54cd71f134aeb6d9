// SPDX-License-Identifier: MIT
// Destination NAT of IPv4 TCP and UDP: looks (address, port, protocol) up, rewrites address and port, mends the IP
// and the transport checksum by what changed (RFC 1624), and counts packets and bytes of each rule.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct service { __be32 addr; __be16 port; __u8 proto; __u8 pad; };
struct target { __be32 addr; __be16 port; __u16 pad; __u64 packets; __u64 bytes; };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct service);
	__type(value, struct target);
} rules SEC(".maps");

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void replace2(__u16 *check, __u16 old, __u16 new)
{
	*check = fold((__u32)(__u16)~*check + (__u16)~old + new);
}

static __always_inline void replace4(__u16 *check, __u32 old, __u32 new)
{
	old = ~old;
	*check = fold((__u32)(__u16)~*check + (old >> 16) + (old & 0xffff) + (new >> 16) + (new & 0xffff));
}

SEC("xdp")
int nat(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct service key = {};
	struct target *to;

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
		return XDP_PASS;
	key.addr = ip->daddr;
	key.proto = ip->protocol;

	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)(ip + 1);

		if ((void *)(tcp + 1) > end)
			return XDP_PASS;
		key.port = tcp->dest;
		to = bpf_map_lookup_elem(&rules, &key);
		if (!to)
			return XDP_PASS;
		replace4(&tcp->check, ip->daddr, to->addr);
		replace2(&tcp->check, tcp->dest, to->port);
		tcp->dest = to->port;
	} else if (ip->protocol == IPPROTO_UDP) {
		struct udphdr *udp = (void *)(ip + 1);

		if ((void *)(udp + 1) > end)
			return XDP_PASS;
		key.port = udp->dest;
		to = bpf_map_lookup_elem(&rules, &key);
		if (!to)
			return XDP_PASS;
		if (udp->check) {
			replace4(&udp->check, ip->daddr, to->addr);
			replace2(&udp->check, udp->dest, to->port);
			if (!udp->check)
				udp->check = 0xffff;
		}
		udp->dest = to->port;
	} else {
		return XDP_PASS;
	}
	replace4(&ip->check, ip->daddr, to->addr);
	ip->daddr = to->addr;
	__sync_fetch_and_add(&to->packets, 1);
	__sync_fetch_and_add(&to->bytes, end - data);
	return XDP_TX;
}
char LICENSE[] SEC("license") = "GPL";
