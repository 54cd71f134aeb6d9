// SPDX-License-Identifier: MIT
// Tracks TCP connections: one entry for both directions, a state machine, a timeout for each state, counters for each
// direction. Packets that no connection expects are dropped. Counts what became of the states.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define SECOND 1000000000ull

enum state { NONE, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSED };

struct tuple { __be32 addr[2]; __be16 port[2]; };
struct counters { __u64 packets, bytes; };
struct conn {
	__u64 expires;
	struct counters sent[2];
	__u8 state;
	__u8 origin;
	__u8 closer;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tuple);
	__type(value, struct conn);
} conns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} changes SEC(".maps");

static __always_inline void changed(__u32 from, __u32 to)
{
	__u32 key = from << 3 | to;
	__u64 *count = bpf_map_lookup_elem(&changes, &key);

	if (count)
		*count += 1;
}

static __always_inline __u64 timeout(__u8 state)
{
	switch (state) {
	case SYN_SENT:
	case SYN_RECV:
		return 60 * SECOND;
	case ESTABLISHED:
		return 21600 * SECOND;
	case FIN_WAIT:
		return 120 * SECOND;
	default:
		return 10 * SECOND;
	}
}

static __always_inline __u8 next_state(struct conn *conn, __u32 dir, struct tcphdr *tcp)
{
	if (tcp->rst)
		return CLOSED;
	switch (conn->state) {
	case SYN_SENT:
		if (dir != conn->origin && tcp->syn && tcp->ack)
			return SYN_RECV;
		if (dir == conn->origin && tcp->syn && !tcp->ack)
			return SYN_SENT;
		return NONE;
	case SYN_RECV:
		if (dir == conn->origin && tcp->ack && !tcp->syn)
			return ESTABLISHED;
		return SYN_RECV;
	case ESTABLISHED:
		if (tcp->fin) {
			conn->closer = dir;
			return FIN_WAIT;
		}
		return ESTABLISHED;
	case FIN_WAIT:
		if (tcp->fin && dir != conn->closer)
			return CLOSED;
		return FIN_WAIT;
	case CLOSED:
		return tcp->syn ? NONE : CLOSED;
	}
	return NONE;
}

SEC("tc")
int conntrack(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct tuple key = {};
	struct conn *conn;
	__u32 dir;
	__u64 now;
	__u8 state;

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP || ip->frag_off & bpf_htons(0x1fff))
		return TC_ACT_OK;
	dir = bpf_ntohl(ip->saddr) > bpf_ntohl(ip->daddr) ||
	      (ip->saddr == ip->daddr && bpf_ntohs(tcp->source) > bpf_ntohs(tcp->dest));
	if (dir) {
		key.addr[0] = ip->daddr;
		key.addr[1] = ip->saddr;
		key.port[0] = tcp->dest;
		key.port[1] = tcp->source;
	} else {
		key.addr[0] = ip->saddr;
		key.addr[1] = ip->daddr;
		key.port[0] = tcp->source;
		key.port[1] = tcp->dest;
	}

	now = bpf_ktime_get_ns();
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn || conn->expires < now) {
		struct conn fresh = {};

		if (!tcp->syn || tcp->ack || tcp->rst || tcp->fin) {
			changed(NONE, NONE);
			return TC_ACT_SHOT;
		}
		fresh.state = SYN_SENT;
		fresh.origin = dir;
		fresh.expires = now + timeout(SYN_SENT);
		fresh.sent[dir].packets = 1;
		fresh.sent[dir].bytes = skb->len;
		bpf_map_update_elem(&conns, &key, &fresh, BPF_ANY);
		changed(NONE, SYN_SENT);
		return TC_ACT_OK;
	}
	state = next_state(conn, dir, tcp);
	changed(conn->state & 7, state);
	if (state == NONE)
		return TC_ACT_SHOT;
	conn->state = state;
	conn->expires = now + timeout(state);
	__sync_fetch_and_add(&conn->sent[dir].packets, 1);
	__sync_fetch_and_add(&conn->sent[dir].bytes, skb->len);
	return TC_ACT_OK;
}
char LICENSE[] SEC("license") = "GPL";
