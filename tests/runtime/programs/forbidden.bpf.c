// A kind of program that a locked-down kernel refuses without a verifier log.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("fentry/do_unlinkat")
int probe(void *ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
