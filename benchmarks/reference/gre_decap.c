// SPDX-License-Identifier: MIT
// Takes GRE off (RFC 2784, 2890): the tunnel is known by its remote end and key; IPv4 and IPv6 inside get the outer
// Ethernet header, Ethernet inside has its own. Counts packets and bytes of each tunnel.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define GRE_CSUM 0x8000
#define GRE_ROUTING 0x4000
#define GRE_KEY 0x2000
#define GRE_SEQ 0x1000
#define GRE_VERSION 0x0007

struct gre_hdr { __be16 flags, protocol; };
struct tunnel_key { __be32 remote, key; };
struct tunnel { __u64 packets, bytes; };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct tunnel_key);
	__type(value, struct tunnel);
} tunnels SEC(".maps");

SEC("xdp")
int gre_decap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data, outer;
	struct iphdr *ip = (void *)(eth + 1);
	struct gre_hdr *gre = (void *)(ip + 1);
	struct tunnel_key key = {};
	struct tunnel *tunnel;
	__be32 *word;
	int size = sizeof(*ip) + sizeof(*gre);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_GRE || ip->frag_off & bpf_htons(0x3fff))
		return XDP_PASS;
	if ((void *)(gre + 1) > end || gre->flags & bpf_htons(GRE_ROUTING | GRE_VERSION))
		return XDP_DROP;
	word = (void *)(gre + 1);
	if (gre->flags & bpf_htons(GRE_CSUM)) {
		word++;
		size += 4;
	}
	if (gre->flags & bpf_htons(GRE_KEY)) {
		if ((void *)(word + 1) > end)
			return XDP_DROP;
		key.key = *word++;
		size += 4;
	}
	if (gre->flags & bpf_htons(GRE_SEQ)) {
		word++;
		size += 4;
	}
	if ((void *)word > end)
		return XDP_DROP;
	key.remote = ip->saddr;
	tunnel = bpf_map_lookup_elem(&tunnels, &key);
	if (!tunnel)
		return XDP_PASS;
	__sync_fetch_and_add(&tunnel->packets, 1);
	__sync_fetch_and_add(&tunnel->bytes, end - data);

	if (gre->protocol == bpf_htons(ETH_P_TEB))
		return bpf_xdp_adjust_head(ctx, sizeof(*eth) + size) ? XDP_DROP : XDP_PASS;
	if (gre->protocol != bpf_htons(ETH_P_IP) && gre->protocol != bpf_htons(ETH_P_IPV6))
		return XDP_DROP;
	outer = *eth;
	outer.h_proto = gre->protocol;
	if (bpf_xdp_adjust_head(ctx, size))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	eth = data;
	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	*eth = outer;
	return XDP_PASS;
}
char LICENSE[] SEC("license") = "GPL";
