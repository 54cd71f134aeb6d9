"""Why a cell of docs/support.md is empty: what the machines that run the tests can't show.

A rule is (rows, kernels, word): patterns of rows as in fnmatch, kernels or "*", a word of REASONS. The first that fits
is the cell's reason. A cell that no test proves and no rule explains is an error of the page.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

__all__ = ["HELPERS", "HOOKS", "KERNELS", "KFUNCS", "MAPS", "REASONS", "UNTESTED", "Rules", "reason"]

# Debian's two kernels in VMs, and the kernel of the machines that run the tests.
KERNELS = ("6.1", "6.12", "6.18")

Rules = tuple[tuple[str, str, str], ...]

UNTESTED = "untested"
REASONS = {
    "future": "No kernel here is new enough for it.",
    "old": "That kernel is too old for it.",
    "locked": "The machine's kernel is locked down: it loads no program of this type, and allows no such helper.",
    "kprobes": "The machine's kernel is built without kprobes: there is nothing to attach to.",
    "fprobe": "Debian's 6.1 is built without fprobe, through which it attaches.",
    "injection": "Debian's 6.1 is built without error injection, by which it knows functions that may sleep.",
    "netkit": "The machine's kernel is built without netkit devices.",
    "actions": "The machine's kernel is built without actions of traffic control that are BPF programs.",
    "language": "Programs have no value of that kind; the diagnostic says what to write instead.",
    "ksyms": "The machine's kernel describes no variables in its BTF.",
    "ops": "For tables of functions whose programs get such a socket; the tests have none.",
    "override": "No kernel here is built with CONFIG_BPF_KPROBE_OVERRIDE.",
    "lirc": "No kernel here is built with support for infrared receivers.",
    "storage": "Only security hooks and functions that they call may use it, and this kernel is locked down.",
    "absent": "No kernel here has it: it is built without, or has it in a module that is not loaded.",
    "module": "That kernel is built without it, or has it in a module that is not loaded.",
    "changed": "That kernel's function takes other arguments.",
    "scheduler": "For the scheduler of a whole machine, which tests don't replace.",
    "device": "For programs that are bound to a network device that has it.",
    "destructive": "It ends the machine, so pybpf does not call it.",
    "trap": "Compilers call it where a program never comes by.",
    "object": "No program of the tests gets what it takes.",
    UNTESTED: "No test shows it.",
}

HOOKS: Rules = (
    # libbpf's table is of 1.7, and names what no kernel before 6.19 has
    ("tracepoint.s+ tp.s+ raw_tracepoint.s+ raw_tp.s+ tp_btf.s+", "*", "future"),
    ("fsession* fentry.multi* fexit.multi*", "*", "future"),
    ("lirc_mode2", "*", "lirc"),
    ("uprobe.session*", "6.1 6.12", "old"),
    ("uprobe.multi* uretprobe.multi* kprobe.session+", "6.1", "old"),
    ("tcx/* tc/* netkit/* netfilter *_unix", "6.1", "old"),
    ("kprobe.multi+ kretprobe.multi+", "6.1", "fprobe"),
    ("kprobe* kretprobe* ksyscall+ kretsyscall+", "6.18", "kprobes"),
    ("struct_ops.s+", "6.1", "old"),
    ("fentry.s+ fexit.s+ fmod_ret.s+", "6.1", "injection"),
    ("fentry* fexit* fmod_ret* freplace+ lsm*", "6.18", "locked"),
    ("netkit/*", "6.18", "netkit"),
    ("action", "6.18", "actions"),
)

MAPS: Rules = (
    ("CGRP_STORAGE ARENA", "6.1", "old"),
    ("INODE_STORAGE", "6.18", "storage"),
    ("INSN_ARRAY", "*", "future"),
)

HELPERS: Rules = (
    ("bpf_rc_*", "*", "lirc"),
    ("bpf_tcp_send_ack", "*", "ops"),
    ("bpf_cgrp_storage_* bpf_kptr_xchg", "6.1", "old"),
    ("bpf_override_return", "*", "override"),
    ("bpf_this_cpu_ptr bpf_per_cpu_ptr", "6.18", "ksyms"),
    ("bpf_get_func_arg bpf_get_func_arg_cnt bpf_get_func_ret bpf_sock_from_file bpf_xdp_output", "6.18", "locked"),
    ("bpf_bprm_opts_set bpf_ima_*_hash bpf_inode_storage_* bpf_probe_write_user", "6.18", "locked"),
)


KFUNCS: Rules = (
    ("scx_bpf_* __scx_bpf_* bpf_iter_scx_*", "*", "scheduler"),
    ("hid_bpf_* dctcp_* bpf_qdisc_* bpf_kfree_skb bpf_skb_*_fou_encap bpf_xdp_flow_lookup", "*", "absent"),
    ("bpf_strncasecmp bpf_strcasestr bpf_strncasestr bpf_skb_*_xfrm_info bpf_skb_get_hash", "*", "absent"),
    ("bpf_*_dentry_xattr bpf_crypto_encrypt bpf_crypto_decrypt", "*", "object"),
    ("bpf_verify_pkcs7_signature", "6.18", "module"),
    ("bpf_get_file_xattr bpf_get_fsverity_digest", "6.18", "locked"),
    ("bpf_arena_reserve_pages bpf_local_irq_* bpf_res_spin_* bpf_wq_* bpf_task_work_* bpf_stream_*", "*", "language"),
    ("bpf_percpu_obj_* bpf_rdonly_cast bpf_session_cookie", "*", "language"),
    ("bbr_* bpf_*_ct_* bpf_ct_* bpf_xdp_*xfrm*", "6.1 6.12", "module"),
    ("bpf_get_task_exe_file bpf_path_d_path bpf_put_file", "6.18", "locked"),
    ("bpf_strnlen", "6.1 6.12", "old"),
    ("cgroup_rstat_*", "6.1 6.18", "changed"),
    ("bpf_xdp_metadata_*", "*", "device"),
    ("crash_kexec", "*", "destructive"),
    ("__bpf_trap", "*", "trap"),
    ("bpf_ct_set_nat_info bpf_sk_assign_tcp_reqsk", "*", "object"),
)


def reason(rules: Rules, row: str, kernel: str) -> str:
    """The word for why nothing is proved of a row on a kernel; UNTESTED where no rule says."""
    for patterns, kernels, word in rules:
        fits = kernels == "*" or kernel in kernels.split()
        if fits and any(fnmatchcase(row, pattern) for pattern in patterns.split()):
            return word
    return UNTESTED
