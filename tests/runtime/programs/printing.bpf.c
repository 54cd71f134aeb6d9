#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 only_pid = 0;

SEC("tracepoint/syscalls/sys_enter_getppid")
int hello(void *ctx)
{
	if ((__u32)(bpf_get_current_pid_tgid() >> 32) == only_pid)
		bpf_printk("hello from %d: 100%%", only_pid);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
