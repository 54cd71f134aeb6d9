"""Who and where: clocks, namespaces, control groups, arguments of a started program, paths. In the language itself.

    e.pid = ns_pid()                            as `ps` inside the container shows it
    e.argc = read_argv(ctx.argv, e.argv)        in a program on sys_enter_execve, into an Array[Text[L[n]], L[m]]
    e.depth = read_path(file.f_path.dentry, e.names)

Sources: include/linux/pid.h, include/linux/nsproxy.h, include/linux/dcache.h.
"""

from __future__ import annotations

from pybpf.stdlib.everyday import current_task
from pybpf.stdlib.fills import kernel_str, user_str
from pybpf.stdlib.helpers import (
    bpf_get_current_ancestor_cgroup_id,
    bpf_get_current_cgroup_id,
    bpf_get_numa_node_id,
    bpf_jiffies64,
    bpf_ktime_get_boot_ns,
    bpf_ktime_get_tai_ns,
)
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import u32, u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.kernel import dentry
    from pybpf.stdlib.types import Array

__all__ = [
    "ancestor_cgroup_id", "cgroup_id", "jiffies", "ktime_boot", "ktime_tai", "mount_ns", "net_ns", "ns_pid", "ns_tid",
    "numa_node", "pid_ns", "read_argv", "read_path",
]  # fmt: skip


class _pointer(Struct):
    value: u64


def ktime_boot() -> u64:
    """Nanoseconds since boot, with the time that the machine slept. Linux 5.8."""
    return bpf_ktime_get_boot_ns()


def ktime_tai() -> u64:
    """Nanoseconds of International Atomic Time since 1970, which knows no leap seconds. Linux 6.1."""
    return bpf_ktime_get_tai_ns()


def jiffies() -> u64:
    """The kernel's ticks since boot. Linux 5.6."""
    return bpf_jiffies64()


def numa_node() -> u32:
    """Number of the memory node that this CPU belongs to."""
    return u32(bpf_get_numa_node_id())


def cgroup_id() -> u64:
    """Id of the current task's control group (v2): the inode number of its directory."""
    return bpf_get_current_cgroup_id()


def ancestor_cgroup_id(level: int) -> u64:
    """Id of the control group at a level above that of the current task: 0 is the root. 0 where there is none."""
    return bpf_get_current_ancestor_cgroup_id(level)


def pid_ns() -> u32:
    """Inode number of the current task's pid namespace, as in `readlink /proc/self/ns/pid`."""
    own = current_task().thread_pid
    return own.numbers[own.level].ns.ns.inum


def net_ns() -> u32:
    """Inode number of the current task's network namespace."""
    return current_task().nsproxy.net_ns.ns.inum


def mount_ns() -> u32:
    """Inode number of the current task's mount namespace."""
    return current_task().nsproxy.mnt_ns.ns.inum


def ns_pid() -> u32:
    """Process id of the current task in its own pid namespace."""
    own = current_task().group_leader.thread_pid
    return u32(own.numbers[own.level].nr)


def ns_tid() -> u32:
    """Thread id of the current task in its own pid namespace."""
    own = current_task().thread_pid
    return u32(own.numbers[own.level].nr)


def read_argv(argv: u64, into: Array[Any, Any]) -> int:
    """Read the strings that a process's array of pointers names, up to NULL, into an `Array[Text[L[n]], L[m]]`.

    `argv` is the array's address in the process, as sys_enter_execve has it. How many were read: at most m.
    """
    for i in range(len(into)):
        text = _pointer.at_user(argv + 8 * i).value  # type: ignore[attr-defined]
        if text == 0:
            return i
        into[i] = user_str(text)
    return len(into)


def read_path(entry: dentry, into: Array[Any, Any]) -> int:
    """Read the names of a directory entry and of those above it, innermost first, into an `Array[Text[L[n]], L[m]]`.

    How many there are up to the root of the file system, at most m. Where a file system is mounted the names above are
    those of another one, which are not followed.
    """
    for i in range(len(into)):
        parent = entry.d_parent
        if parent == entry:
            return i
        into[i] = kernel_str(entry.d_name.name)
        entry = parent
    return len(into)
