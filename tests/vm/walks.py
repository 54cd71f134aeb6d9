"""Programs that walk the kernel's structs by every kind of hook: built once, they load on each kernel.

Each notes in `seen` what it found, by a number of its own; `mine` is the process that it looks at.
"""

from __future__ import annotations

from pybpf import (
    HashMap,
    L,
    Text,
    const,
    current_task,
    fentry,
    fexit,
    i32,
    kernel_str,
    kprobe,
    raw_tp,
    sizeof,
    task,
    tp_btf,
    u32,
    u64,
)  # fmt: skip
from pybpf.kernel import dentry, file, filename, request, sk_buff, sock, task_struct

mine = const(u32, 0)
seen = HashMap[u32, u64](max_entries=64)
names = HashMap[u32, Text[L[32]]](max_entries=8)
started = HashMap[request, u64](max_entries=64)


@raw_tp("sys_enter")
def by_address() -> None:
    """Everything by probe reads."""
    this = task_struct(task())
    if this.tgid != mine:
        return
    seen[0] = this.real_parent.tgid
    seen[1] = this.mm.owner.tgid
    seen[2] = this.group_leader.signal.rlim[7].rlim_cur
    seen[3] = sizeof(task_struct)
    seen[4] = this.mm.total_vm
    seen[5] = this.sched_reset_on_fork + 2 * this.in_execve
    out = file(this.files.fdt.fd[1])
    names[0] = kernel_str(out.f_path.dentry.d_name.name)
    names[1] = this.comm
    seen[6] = out.f_inode.i_ino


@raw_tp("sys_exit")
def by_load() -> None:
    """The current task is known to the verifier: its members are loaded."""
    this = current_task()
    if this.tgid != mine:
        return
    seen[10] = this.real_parent.tgid
    seen[11] = this.mm.owner.tgid
    seen[12] = this.group_leader.signal.rlim[7].rlim_cur
    seen[13] = this.thread_pid.numbers[0].nr
    seen[14] = this.mm.total_vm if this.mm else 0
    seen[15] = this.files.fdt.fd[0].f_path.dentry.d_inode.i_ino
    seen[16] = this.nsproxy.uts_ns.ns.inum
    walker = this
    for _ in range(64):
        if walker.tgid == 1:
            break
        walker = walker.real_parent
    seen[17] = walker.tgid


@tp_btf("sched_switch")
def switched(preempt: bool, prev: task_struct, next: task_struct) -> None:
    if prev.tgid == mine:
        seen[20] = prev.mm.owner.real_parent.tgid
        names[2] = prev.comm


@tp_btf("block_rq_issue")
def issue(rq: request) -> None:
    started[rq] = rq.q.disk.major


@tp_btf("block_rq_complete")
def complete(rq: request, error: i32, nr_bytes: u32) -> None:
    if started.pop(rq, None) is None:
        return
    disk = rq.q.disk
    if disk is not None:
        seen[21] = disk.first_minor
        seen[22] = rq.part.bd_dev


@tp_btf("kfree_skb")
def free(skb: sk_buff) -> None:
    """Of these arguments the kernel says since 6.13 that they may be NULL; `sk` always may."""
    seen[23] = skb.sk.__sk_common.skc_family + skb.dev.ifindex


@tp_btf("inet_sock_set_state")
def state(sk: sock, old: i32, new: i32) -> None:
    """Members in unions."""
    seen[24] = sk.__sk_common.skc_daddr
    seen[25] = sk.__sk_common.skc_dport + sk.__sk_common.skc_num
    seen[26] = u64(sk.sk_socket.file)


@kprobe("vfs_unlink")
def unlinked() -> None:
    seen[30] = 1


@kprobe("security_path_unlink")
def path(dentry: dentry) -> None:
    if current_task().tgid == mine:
        names[3] = kernel_str(dentry.d_name.name)
        seen[31] = dentry.d_parent.d_inode.i_sb.s_dev


@fentry("do_filp_open")
def opening(dfd: i32, what: filename) -> None:
    if current_task().tgid == mine:
        names[4] = kernel_str(what.name)


@fexit("do_filp_open")
def opened(dfd: i32, what: filename, op: u64, found: file) -> None:
    if current_task().tgid == mine and u64(found) < 0xFFFF_FFFF_FFFF_F000:
        names[5] = kernel_str(found.f_path.dentry.d_name.name)
