/* examples/opensnoop.py in C, for startup.py: with vmlinux.h, as libbpf-tools and libbpf-bootstrap write such programs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct open {
	__u32 pid;
	__s32 ret;
	char comm[16];
	char path[256];
};

const volatile __u32 only_pid = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, __u64);
} paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} opens SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_openat")
int enter(struct trace_event_raw_sys_enter *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), path = ctx->args[1];
	__u32 tid = id;

	if (only_pid && id >> 32 != only_pid)
		return 0;
	bpf_map_update_elem(&paths, &tid, &path, BPF_ANY);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_openat")
int leave(struct trace_event_raw_sys_exit *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), *path, address;
	__u32 tid = id;
	struct open *e;

	path = bpf_map_lookup_elem(&paths, &tid);
	if (!path)
		return 0;
	address = *path;
	bpf_map_delete_elem(&paths, &tid);
	e = bpf_ringbuf_reserve(&opens, sizeof(*e), 0);
	if (!e)
		return 0;
	__builtin_memset(e, 0, sizeof(*e));
	e->pid = id >> 32;
	e->ret = ctx->ret;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	bpf_probe_read_user_str(e->path, sizeof(e->path), (void *)address);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
