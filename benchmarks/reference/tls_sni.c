// SPDX-License-Identifier: MIT
// Drops TLS handshakes with blocked servers: walks a ClientHello to the extension with the server's name (RFC 8446
// 4.1.2, RFC 6066 3), hashes the name (FNV-1a, 64 bits) to look it up, and counts attempts.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define MAX_OFFSET 1400
#define MAX_EXTENSIONS 16
#define MAX_NAME 64
#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

struct hello {
	__u8 type;
	__be16 version, length;
	__u8 kind, size[3];
	__be16 client_version;
	__u8 random[32], session;
} __attribute__((packed));
struct extension { __be16 type, length; };
struct server_name { __be16 list; __u8 type; __be16 length; } __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} blocked SEC(".maps");

SEC("xdp")
int tls_sni(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct server_name *name;
	struct extension *ext;
	struct hello *hello;
	__u64 hash = FNV_OFFSET, *hits;
	__u32 off, len;
	__be16 *ciphers;
	__u8 *p;
	int i;

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP || tcp->dest != bpf_htons(443) || tcp->doff < 5)
		return XDP_PASS;
	off = sizeof(*eth) + sizeof(*ip) + tcp->doff * 4;
	hello = data + off;
	if ((void *)(hello + 1) > end)
		return XDP_PASS;
	if (hello->type != 22 || hello->kind != 1)
		return XDP_PASS;
	off += sizeof(*hello) + hello->session;
	ciphers = data + off;
	if ((void *)(ciphers + 1) > end)
		return XDP_PASS;
	off += 2 + bpf_ntohs(*ciphers);
	if (off > MAX_OFFSET)
		return XDP_PASS;
	p = data + off;
	if ((void *)(p + 1) > end)
		return XDP_PASS;
	off += 1 + *p + 2;

	for (i = 0; i < MAX_EXTENSIONS; i++) {
		if (off > MAX_OFFSET)
			return XDP_PASS;
		ext = data + off;
		if ((void *)(ext + 1) > end)
			return XDP_PASS;
		off += sizeof(*ext);
		if (ext->type == 0)
			break;
		off += bpf_ntohs(ext->length);
	}
	if (i == MAX_EXTENSIONS)
		return XDP_PASS;
	name = data + off;
	if ((void *)(name + 1) > end || name->type != 0)
		return XDP_PASS;
	len = bpf_ntohs(name->length);
	if (len > MAX_NAME)
		return XDP_PASS;
	p = (void *)(name + 1);
	for (i = 0; i < MAX_NAME; i++) {
		if (i >= len)
			break;
		if ((void *)(p + 1) > end)
			return XDP_PASS;
		hash = (hash ^ *p++) * FNV_PRIME;
	}
	hits = bpf_map_lookup_elem(&blocked, &hash);
	if (!hits)
		return XDP_PASS;
	__sync_fetch_and_add(hits, 1);
	return XDP_DROP;
}
char LICENSE[] SEC("license") = "GPL";
