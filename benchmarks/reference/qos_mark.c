// SPDX-License-Identifier: MIT
// Marks what leaves: the class of a packet follows from its protocol and one of its ports; a class has a DSCP, a
// priority, a mark, and perhaps a VLAN. Rewrites the DSCP of IPv4 and IPv6, and counts by class.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define CLASSES 16

struct service { __u8 protocol; __u8 pad; __be16 port; };
struct class { __u32 mark; __u16 vlan; __u8 dscp, priority; };
struct count { __u64 packets, bytes; };
struct ports { __be16 source, dest; };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct service);
	__type(value, __u32);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLASSES);
	__type(key, __u32);
	__type(value, struct class);
} classes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CLASSES);
	__type(key, __u32);
	__type(value, struct count);
} counts SEC(".maps");

static __always_inline __u32 class_of(__u8 protocol, struct ports *ports)
{
	struct service key = { .protocol = protocol, .port = ports->dest };
	__u32 *found = bpf_map_lookup_elem(&services, &key);

	if (found)
		return *found;
	key.port = ports->source;
	found = bpf_map_lookup_elem(&services, &key);
	return found ? *found : 0;
}

static __always_inline void set_tos(struct iphdr *ip, __u8 tos)
{
	__u32 sum = (__u16)~ip->check + (__u16)~bpf_htons(ip->tos) + bpf_htons(tos);

	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~(sum + (sum >> 16));
	ip->tos = tos;
}

SEC("tc")
int qos_mark(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = NULL;
	struct ipv6hdr *ip6 = NULL;
	struct ports *ports;
	struct class *class;
	struct count *count;
	__u8 protocol;
	__u32 id = 0;

	if ((void *)(eth + 1) > end)
		return TC_ACT_OK;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > end || ip->ihl < 5)
			return TC_ACT_OK;
		protocol = ip->protocol;
		ports = (void *)ip + ip->ihl * 4;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		ip6 = (void *)(eth + 1);
		if ((void *)(ip6 + 1) > end)
			return TC_ACT_OK;
		protocol = ip6->nexthdr;
		ports = (void *)(ip6 + 1);
	} else {
		return TC_ACT_OK;
	}
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		if ((void *)(ports + 1) > end)
			return TC_ACT_OK;
		id = class_of(protocol, ports);
	}
	class = bpf_map_lookup_elem(&classes, &id);
	if (!class)
		return TC_ACT_OK;

	if (ip) {
		__u8 tos = class->dscp << 2 | (ip->tos & 3);

		if (ip->tos != tos)
			set_tos(ip, tos);
	} else if (ip6) {
		ip6->priority = class->dscp >> 2;
		ip6->flow_lbl[0] = (ip6->flow_lbl[0] & 0x3f) | class->dscp << 6;
	}
	skb->priority = class->priority;
	skb->mark = class->mark;
	count = bpf_map_lookup_elem(&counts, &id);
	if (count) {
		count->packets++;
		count->bytes += skb->len;
	}
	if (class->vlan && !skb->vlan_present &&
	    bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), class->priority << 13 | class->vlan))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}
char LICENSE[] SEC("license") = "GPL";
