// What the runtime's tests load: a map of each kind, and programs that fire on this process's own events only.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event { __u32 pid; __s32 value; __u64 number; char comm[16]; };
struct flow { __u32 addr; __u32 port; };

#define MAP(name, kind, k, v, n) \
	struct { __uint(type, kind); __uint(max_entries, n); __type(key, k); __type(value, v); } name SEC(".maps")

MAP(hash, BPF_MAP_TYPE_HASH, __u32, __u64, 64);
MAP(array, BPF_MAP_TYPE_ARRAY, __u32, __s32, 8);
MAP(lru, BPF_MAP_TYPE_LRU_HASH, __u32, __u64, 16);
MAP(percpu, BPF_MAP_TYPE_PERCPU_HASH, __u32, __u64, 64);
MAP(slots, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u32, 4);
MAP(flows, BPF_MAP_TYPE_HASH, struct flow, struct event, 32);
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 65536); } events SEC(".maps");

const volatile __u32 only_pid = 0;
__u64 total = 0;
__s32 limit = 5;

static int mine(void) { return (__u32)(bpf_get_current_pid_tgid() >> 32) == only_pid; }

SEC("tracepoint/syscalls/sys_enter_getppid")
int enter(void *ctx)
{
	if (!mine())
		return 0;
	__u64 number = __sync_fetch_and_add(&total, 1);
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e)
		return 0;
	e->pid = only_pid;
	e->value = -(__s32)number;
	e->number = number;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	if (number % 16 == 7)
		bpf_ringbuf_discard(e, 0);
	else
		bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
int raw(struct bpf_raw_tracepoint_args *ctx)
{
	if (mine() && ctx->args[1] == 110) { // getppid
		__u32 key = 1, zero = 0;
		__u64 one = 1, *seen = bpf_map_lookup_elem(&hash, &key);
		if (seen)
			__sync_fetch_and_add(seen, 1);
		else
			bpf_map_update_elem(&hash, &key, &one, 0);
		__u32 *slot = bpf_map_lookup_elem(&slots, &zero);
		if (slot)
			*slot += 1;
	}
	return 0;
}

SEC("uprobe/libc:labs")
int on_labs(void *regs)
{
	__u32 key = 2;
	__u64 argument = 0;
	if (mine()) {
		bpf_probe_read_kernel(&argument, 8, regs + 112); // di
		bpf_map_update_elem(&hash, &key, &argument, 0);
	}
	return 0;
}

SEC("uretprobe/libc:labs")
int on_labs_return(void *regs)
{
	__u32 key = 3;
	__u64 result = 0;
	if (mine()) {
		bpf_probe_read_kernel(&result, 8, regs + 80); // ax
		bpf_map_update_elem(&hash, &key, &result, 0);
	}
	return 0;
}

SEC("xdp")
int ingress(struct xdp_md *ctx)
{
	__u32 key = 0;
	__s32 *count = bpf_map_lookup_elem(&array, &key);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (count)
		__sync_fetch_and_add(count, 1);
	if (data + 14 > end)
		return XDP_ABORTED;
	((__u8 *)data)[0] = 0x42;
	return end - data > 100 ? XDP_PASS : XDP_DROP;
}

SEC("syscall")
int sum(__u64 *ctx)
{
	ctx[1] = ctx[0] + limit;
	return 7;
}

char LICENSE[] SEC("license") = "GPL";
