// Kinds of programs that only libbpf attaches, or that few kernels have.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 only_pid = 0;
__u64 seen = 0;
__u64 packets = 0;

SEC("?tp_btf/sys_enter")
int btf_event(__u64 *ctx)
{
	if ((__u32)(bpf_get_current_pid_tgid() >> 32) == only_pid && ctx[1] == 110) // getppid
		__sync_fetch_and_add(&seen, 1);
	return 0;
}

SEC("?tcx/ingress")
int count(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&packets, 1);
	return -1; // TCX_NEXT
}

SEC("?cgroup_skb/egress")
int unattachable(struct __sk_buff *skb) { return 1; }

char LICENSE[] SEC("license") = "GPL";
