"""Everyday short names, written in the language itself: the compiler inlines them."""

from __future__ import annotations

from pybpf.stdlib.builtins import sizeof
from pybpf.stdlib.helpers import (
    bpf_get_current_pid_tgid,
    bpf_get_current_task,
    bpf_get_current_task_btf,
    bpf_get_current_uid_gid,
    bpf_get_prandom_u32,
    bpf_get_smp_processor_id,
    bpf_ktime_get_ns,
    bpf_probe_read_kernel,
    bpf_probe_read_user,
)
from pybpf.stdlib.types import Array, L, u32, u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from pybpf.stdlib.fills import Address

    T = TypeVar("T")

    from pybpf.kernel import task_struct

__all__ = [
    "cpu", "current_task", "gid", "kernel_read", "ktime", "pid", "random", "task", "tid", "uid", "user_read",
]  # fmt: skip


def pid() -> u32:
    """Process id of the current task, as user space says it (the kernel's tgid)."""
    return u32(bpf_get_current_pid_tgid() >> 32)


def tid() -> u32:
    """Thread id of the current task (the kernel's pid)."""
    return u32(bpf_get_current_pid_tgid())


def uid() -> u32:
    """User id of the current task."""
    return u32(bpf_get_current_uid_gid())


def gid() -> u32:
    """Group id of the current task."""
    return u32(bpf_get_current_uid_gid() >> 32)


def ktime() -> u64:
    """Nanoseconds since boot, without the time that the machine slept."""
    return bpf_ktime_get_ns()


def cpu() -> u32:
    """Number of the CPU that the program runs on."""
    return u32(bpf_get_smp_processor_id())


def random() -> u32:
    """A pseudo-random number of 32 bits."""
    return u32(bpf_get_prandom_u32())


def current_task() -> task_struct:
    """The current task, whose members may be loaded: `current_task().real_parent.tgid`. Linux 5.11."""
    return bpf_get_current_task_btf()  # type: ignore[no-any-return]


def task() -> u64:
    """Kernel address of the current task's `task_struct`."""
    return bpf_get_current_task()


def user_read(address: Address, kind: type[T]) -> T:
    """The number or struct at a user-space address: `user_read(ctx.buf, u64)`; all zero if it can't be read."""
    made = Array[kind, L[1]]()  # type: ignore[valid-type]
    bpf_probe_read_user(made, sizeof(made), address)
    return made[0]


def kernel_read(address: Address, kind: type[T]) -> T:
    """The number or struct at a kernel address: `kernel_read(address, be16)`; all zero if it can't be read."""
    made = Array[kind, L[1]]()  # type: ignore[valid-type]
    bpf_probe_read_kernel(made, sizeof(made), address)
    return made[0]
