"""What programs read of this process by way of the kernel's structs is what /proc says of it."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from pybpf import (
    HashMap,
    L,
    Target,
    Text,
    const,
    container_of,
    current_task,
    enum_exists,
    enum_value,
    exists,
    field_signed,
    field_size,
    kernel_str,
    load,
    offsetof,
    raw_tp,
    sizeof,
    task,
    type_exists,
    type_id_target,
    type_matches,
    u32,
    u64,
    user_str,
)
from pybpf.kernel import bpf_map_type, file, list_head, pid_type, sock, task_struct
from pybpf.stdlib.kernel.classes import KernelStruct

pytestmark = pytest.mark.kernel

mine = const(u32, 0)
seen = HashMap[u32, u64](max_entries=64)
names = HashMap[u32, Text[L[32]]](max_entries=8)
by_task = HashMap[task_struct, u64](max_entries=4)
held = HashMap[u32, task_struct](max_entries=4)


class task_struct___other(KernelStruct):
    tgid: u32
    no_such_member: u64


class no_such_struct(KernelStruct):
    x: u64


def ancestor(of: task_struct, generations: int) -> task_struct:
    for _ in range(generations):
        of = of.real_parent
    return of


@raw_tp("sys_enter")
def walks() -> None:
    this = current_task()
    if this.tgid != mine:
        return
    other = task_struct(task())
    seen[0] = this.pid
    seen[1] = this.real_parent.tgid
    seen[2] = other.real_parent.tgid
    seen[3] = this == other
    seen[4] = this is other and this.mm is not None and not this.exit_code
    by_task[this] = 7
    seen[5] = by_task.get(other, 0)
    held[0] = this
    again = held.get(0)
    if again is not None:
        seen[6] = again.tgid
    seen[7] = ancestor(this, 1).tgid
    after = container_of(this.tasks.next, task_struct, "tasks")
    seen[8] = u64(after.tasks.prev) == u64(this.tasks) and after == container_of(u64(after.tasks), task_struct, "tasks")
    index = this.tgid % 3 + 5
    seen[9] = this.signal.rlim[index].rlim_cur
    seen[10] = other.signal.rlim[7].rlim_max
    seen[11] = this.sched_reset_on_fork + this.in_execve + other.sched_reset_on_fork
    names[0] = this.comm
    names[1] = kernel_str(other.comm)
    names[2] = user_str(this.mm.arg_start)
    names[3] = kernel_str(file(this.files.fdt.fd[0]).f_path.dentry.d_name.name)
    nothing = task_struct(0)
    seen[12] = nothing.real_parent.mm.owner.tgid + nothing.tgid
    chosen = this if this.tgid == 1 else this.real_parent
    seen[13] = chosen.tgid


@raw_tp("sys_enter")
def asks() -> None:
    this = current_task()
    if this.tgid != mine:
        return
    seen[20] = exists(this.mm)
    seen[21] = exists(task_struct___other, "no_such_member")
    if exists(task_struct___other, "no_such_member"):
        seen[22] = task_struct___other(this).no_such_member
    else:
        seen[22] = task_struct___other(this).tgid
    seen[23] = sizeof(task_struct)
    seen[24] = field_size(this.comm)
    seen[25] = offsetof(task_struct, "comm") + 16 <= sizeof(task_struct)
    seen[26] = field_signed(this.pid)
    seen[27] = type_exists(sock) and not type_exists(no_such_struct)
    seen[28] = type_matches(list_head) and not type_matches(task_struct___other)
    seen[29] = enum_value(pid_type.PIDTYPE_SID)
    seen[30] = enum_exists(bpf_map_type.BPF_MAP_TYPE_HASH)
    seen[31] = type_id_target(task_struct) > 0


@pytest.fixture(params=[1, 2, 3, 4])
def level(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def run(program: object, level: int) -> tuple[dict[int, int], dict[int, str]]:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    with load(program, target=Target(cpu=level), mine=os.getpid()) as obj, obj.attach():  # type: ignore[call-overload]
        os.getppid()
        return dict(obj[seen]), dict(obj[names]) if program is walks else {}


def test_members(level: int) -> None:
    numbers, texts = run(walks, level)
    limit = resource.getrlimit(os.getpid() % 3 + 5)[0] & (1 << 64) - 1
    parent, me = os.getppid(), os.getpid()
    assert [numbers[k] for k in range(8)] == [numbers[0], parent, parent, 1, 1, 7, me, parent]
    assert [numbers[k] for k in range(8, 14)] == [
        1, limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1], 0, 0, parent,
    ]  # fmt: skip
    comm = Path("/proc/self/comm").read_text().strip()
    assert texts[0] == texts[1] == comm
    assert texts[2] == Path("/proc/self/cmdline").read_text().split("\0")[0][:31]


def test_questions(level: int) -> None:
    numbers, _ = run(asks, level)
    task_size = numbers.pop(23)
    assert numbers == {20: 1, 21: 0, 22: os.getpid(), 24: 16, 25: 1, 26: 1, 27: 1, 28: 1, 29: 3, 30: 1, 31: 1}
    assert task_size > 2000 and task_size % 64 == 0
