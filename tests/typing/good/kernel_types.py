"""Kernel types by name, as a checker sees them: bundled ones, declared ones, enumerations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf import Bits, Embedded, KernelStruct, L, Pointer, Text, i32, kernel, u32, u64
from pybpf.kernel import BPF_MAP_TYPE_HASH, TCP_ESTABLISHED, bpf_map_type

if TYPE_CHECKING:
    from pybpf.kernel import file, path, pid_t, request, sk_buff, sock, task_struct


class task_struct___old(KernelStruct):
    state: i32
    real_parent: task_struct___old
    comm: Text[L[16]]
    early: Bits[u32, L[3]]
    stack: Pointer[None]
    counts: Pointer[u64]


class file___mine(KernelStruct):
    f_path: Embedded[path]


def walk(task: task_struct, sk: sock, opened: file, rq: request, skb: sk_buff) -> int:
    number: int = task.real_parent.tgid + task.__state
    text: str = task.comm
    number += sk.__sk_common.skc_daddr + sk.__sk_common.skc_family
    number += opened.f_path.dentry.d_inode.i_ino + len(rq.q.disk.disk_name) + skb.dev.ifindex
    if not task.mm:
        return 0
    kind: bpf_map_type = BPF_MAP_TYPE_HASH
    state: int = TCP_ESTABLISHED
    pid: pid_t = task.pid
    return number + len(text) + kind + state + pid + task.mm.total_vm


def older(task: task_struct___old, mine: file___mine) -> int:
    return task.real_parent.state + len(task.comm) + task.early + task.counts[2] + mine.f_path.dentry.d_inode.i_ino


def choose() -> None:
    kernel.use("/sys/kernel/btf/vmlinux")
