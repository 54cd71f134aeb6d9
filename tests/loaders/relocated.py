"""A program with every kind of CO-RE relocation, for comparison with what clang makes of the same in C."""

from __future__ import annotations

from pybpf import (
    HashMap,
    enum_exists,
    enum_value,
    exists,
    field_signed,
    field_size,
    offsetof,
    sizeof,
    tp_btf,
    type_exists,
    type_id_local,
    type_id_target,
    type_matches,
    u32,
    u64,
)
from pybpf.kernel import bpf_map_type, list_head, pid_type, task_struct

seen = HashMap[u32, u64](max_entries=64)


@tp_btf("sched_switch")
def relocated(preempt: bool, prev: task_struct, next: task_struct) -> None:
    seen[0] = prev.real_parent.tgid
    seen[1] = prev.mm.total_vm
    seen[2] = prev.signal.rlim[7].rlim_cur
    seen[3] = prev.se.load.weight
    seen[4] = next.in_iowait
    seen[5] = exists(prev.mm)
    seen[6] = field_size(prev.comm)
    seen[7] = offsetof(task_struct, "pid")
    seen[8] = field_signed(prev.pid)
    seen[9] = type_exists(list_head)
    seen[10] = sizeof(task_struct)
    seen[11] = type_matches(list_head)
    seen[12] = type_id_local(task_struct)
    seen[13] = type_id_target(task_struct)
    seen[14] = enum_value(pid_type.PIDTYPE_SID)
    seen[15] = enum_exists(bpf_map_type.BPF_MAP_TYPE_ARENA)
    seen[16] = prev.files.fd_array[3].f_inode.i_ino


# The same, over the types that the object's own BTF declares.
C = """
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
%s
#pragma clang attribute pop
volatile unsigned long long seen[64];
__attribute__((section("tp_btf/sched_switch"))) int relocated(unsigned long long *ctx)
{
    struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
    seen[0] = prev->real_parent->tgid;
    seen[1] = prev->mm->total_vm;
    seen[2] = prev->signal->rlim[7].rlim_cur;
    seen[3] = prev->se.load.weight;
    unsigned long long unit = 0;
    static long (*probe_read)(void *, unsigned, const void *) = (void *)113;
    probe_read(&unit, __builtin_preserve_field_info(next->in_iowait, 1),
               (void *)next + __builtin_preserve_field_info(next->in_iowait, 0));
    unit <<= __builtin_preserve_field_info(next->in_iowait, 4);
    seen[4] = unit >> __builtin_preserve_field_info(next->in_iowait, 5);
    seen[5] = __builtin_preserve_field_info(prev->mm, 2);
    seen[6] = __builtin_preserve_field_info(prev->comm, 1);
    seen[7] = __builtin_preserve_field_info(prev->pid, 0);
    seen[8] = __builtin_preserve_field_info(prev->pid, 3);
    seen[9] = __builtin_preserve_type_info(*(struct list_head *)0, 0);
    seen[10] = __builtin_preserve_type_info(*(struct task_struct *)0, 1);
    seen[11] = __builtin_preserve_type_info(*(struct list_head *)0, 2);
    seen[12] = __builtin_btf_type_id(*(struct task_struct *)0, 0);
    seen[13] = __builtin_btf_type_id(*(struct task_struct *)0, 1);
    seen[14] = __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_SID, 1);
    seen[15] = __builtin_preserve_enum_value(*(enum bpf_map_type *)BPF_MAP_TYPE_ARENA, 0);
    seen[16] = prev->files->fd_array[3]->f_inode->i_ino;
    return 0;
}
char LICENSE[] __attribute__((section("license"))) = "GPL";
"""
