// SPDX-License-Identifier: MIT
// Answers SYNs to open ports with SYN cookies, in place: a keyed hash (SipHash-2-4's rounds over two words, one block)
// of addresses and ports is the sequence number of the SYN-ACK, whose checksums are computed anew. An ACK that does not
// acknowledge its cookie is dropped.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct keys { __u64 k0, k1; };
struct verdicts { __u64 cookies, valid, invalid; };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct keys);
} secret SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u16);
	__type(value, __u16);
} ports SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct verdicts);
} seen SEC(".maps");

#define ROTL(x, b) (__u64)(((x) << (b)) | ((x) >> (64 - (b))))
#define SIPROUND do { \
	v0 += v1; v1 = ROTL(v1, 13); v1 ^= v0; v0 = ROTL(v0, 32); \
	v2 += v3; v3 = ROTL(v3, 16); v3 ^= v2; \
	v0 += v3; v3 = ROTL(v3, 21); v3 ^= v0; \
	v2 += v1; v1 = ROTL(v1, 17); v1 ^= v2; v2 = ROTL(v2, 32); \
} while (0)

static __always_inline __u32 cookie(struct keys *k, __u64 m)
{
	__u64 v0 = k->k0 ^ 0x736f6d6570736575ull, v1 = k->k1 ^ 0x646f72616e646f6dull;
	__u64 v2 = k->k0 ^ 0x6c7967656e657261ull, v3 = k->k1 ^ 0x7465646279746573ull;

	v3 ^= m;
	SIPROUND;
	SIPROUND;
	v0 ^= m;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("xdp")
int syn_cookie(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 zero = 0, expected, address;
	struct verdicts *count;
	struct keys *key;
	__u16 port, *mss, *w;
	__u8 mac[6];
	__u64 sum;

	if ((void *)(tcp + 1) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	if (tcp->rst || tcp->fin || tcp->syn == tcp->ack)
		return XDP_PASS;
	port = bpf_ntohs(tcp->dest);
	mss = bpf_map_lookup_elem(&ports, &port);
	if (!mss)
		return XDP_PASS;
	key = bpf_map_lookup_elem(&secret, &zero);
	count = bpf_map_lookup_elem(&seen, &zero);
	if (!key || !count)
		return XDP_ABORTED;
	expected = cookie(key, ((__u64)bpf_ntohl(ip->saddr) << 32 | bpf_ntohl(ip->daddr)) ^
			       ((__u64)bpf_ntohs(tcp->source) << 16 | bpf_ntohs(tcp->dest)));
	if (tcp->ack) {
		if (bpf_ntohl(tcp->ack_seq) != expected + 1) {
			count->invalid++;
			return XDP_DROP;
		}
		count->valid++;
		return XDP_PASS;
	}

	__builtin_memcpy(mac, eth->h_source, 6);
	__builtin_memcpy(eth->h_source, eth->h_dest, 6);
	__builtin_memcpy(eth->h_dest, mac, 6);
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	ip->tot_len = bpf_htons(40);
	ip->ttl = 64;
	ip->check = 0;
	w = (__u16 *)ip;
	sum = 0;
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += w[i];
	ip->check = fold(sum);

	port = tcp->source;
	tcp->source = tcp->dest;
	tcp->dest = port;
	tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
	tcp->seq = bpf_htonl(expected);
	tcp->doff = 5;
	tcp->ack = 1;
	tcp->window = 0;
	tcp->check = 0;
	w = (__u16 *)tcp;
	sum = (__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_TCP) + bpf_htons(20);
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += w[i];
	tcp->check = fold(sum);
	count->cookies++;
	if (bpf_xdp_adjust_tail(ctx, (int)(14 + 40) - (int)(end - data)))
		return XDP_DROP;
	return XDP_TX;
}
char LICENSE[] SEC("license") = "GPL";
