"""Who and where: arguments, paths, namespaces, control groups and clocks of a process that the test starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest

from pybpf import (
    Array,
    L,
    RingBuffer,
    Simulation,
    Struct,
    Text,
    ancestor_cgroup_id,
    cgroup_id,
    current_task,
    i32,
    jiffies,
    kernel_str,
    ktime,
    ktime_boot,
    ktime_tai,
    load,
    mount_ns,
    net_ns,
    ns_pid,
    ns_tid,
    numa_node,
    pid,
    pid_ns,
    raw_tp,
    read_argv,
    read_path,
    tid,
    tp_btf,
    u32,
    u64,
    var,
)
from pybpf.kernel import linux_binprm, task_struct  # noqa: TC001 - read at run time

kernel = [
    pytest.mark.kernel,
    pytest.mark.guest,
    pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root"),
]


class Exec(Struct):
    argc: u32
    depth: u32
    argv: Array[Text[L[32]], L[4]]
    path: Array[Text[L[32]], L[8]]


class Who(Struct):
    pid: u32
    tid: u32
    ns_pid: u32
    ns_tid: u32
    pid_ns: u32
    net_ns: u32
    mount_ns: u32
    node: u32
    cgroup: u64
    root: u64
    now: u64
    boot: u64
    tai: u64
    ticks: u64
    group: Text[L[64]]


only = var(u32, 0)
execs = RingBuffer[Exec](64 * 1024)
asked = RingBuffer[Who](64 * 1024)


@tp_btf("sched_process_exec")
def started(task: task_struct, old: i32, bprm: linux_binprm) -> None:
    if task.real_parent.tgid != only:
        return
    with execs.reserve() as e:
        if e is not None:
            e.argc = read_argv(bprm.p + 8, e.argv)
            e.depth = read_path(bprm.file.f_path.dentry, e.path)


@raw_tp("sys_enter")
def asks(regs: u64, number: u64) -> None:
    if number == 110 and ns_pid() == only:  # getppid
        asked.emit(
            Who(
                pid=pid(), tid=tid(), ns_pid=ns_pid(), ns_tid=ns_tid(), pid_ns=pid_ns(), net_ns=net_ns(),
                mount_ns=mount_ns(), node=numa_node(), cgroup=cgroup_id(), root=ancestor_cgroup_id(0), now=ktime(),
                boot=ktime_boot(), tai=ktime_tai(), ticks=jiffies(),
                group=kernel_str(current_task().cgroups.dfl_cgrp.kn.name),
            )
        )  # fmt: skip


def inode(name: str) -> int:
    return os.stat(f"/proc/self/ns/{name}").st_ino


@pytest.mark.parametrize("_", [pytest.param(0, marks=kernel)])
def test_who_asks(_: int) -> None:
    with load(asks, only=os.getpid()).attach() as obj:
        os.getppid()
        (who, *_rest) = list(obj[asked].poll_for(0.3))
    assert (who.pid, who.tid, who.ns_pid, who.ns_tid) == (os.getpid(), os.getpid(), os.getpid(), os.getpid())
    assert (who.pid_ns, who.net_ns, who.mount_ns) == (inode("pid"), inode("net"), inode("mnt"))
    assert abs(who.now - time.clock_gettime_ns(time.CLOCK_MONOTONIC)) < 60e9
    assert abs(who.boot - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 60e9
    assert abs(who.tai - time.clock_gettime_ns(time.CLOCK_TAI)) < 60e9
    assert who.ticks > 0 and who.node == 0
    assert who.cgroup and who.root
    (own,) = [line[3:].strip() for line in open("/proc/self/cgroup") if line.startswith("0::")]  # noqa: SIM115
    assert who.group == own.rpartition("/")[2][:63]


@pytest.mark.parametrize("_", [pytest.param(0, marks=kernel)])
def test_a_container_has_its_own_numbers(_: int) -> None:
    """A process that is number 1 in a new pid namespace, and asks there."""
    code = "import os; os.getppid()"
    with load(asks, only=1).attach() as obj:
        done = subprocess.run(["unshare", "--pid", "--fork", sys.executable, "-S", "-c", code], check=False)
        found = [who for who in obj[asked].poll_for(0.3) if who.pid != 1]
    assert done.returncode == 0
    assert {(who.ns_pid, who.ns_tid) for who in found} == {(1, 1)}
    assert all(who.pid_ns != inode("pid") for who in found)


@pytest.mark.parametrize("_", [pytest.param(0, marks=kernel)])
def test_arguments_and_path(_: int) -> None:
    with load(started, only=os.getpid()).attach() as obj:
        subprocess.run(["/bin/true", "one", "x" * 50, "three", "four"], check=True)
        (event,) = list(obj[execs].poll_for(0.3))
    path = os.path.realpath("/bin/true")
    assert event.path[: event.depth] == path.split("/")[:0:-1]
    assert (event.argc, list(event.argv)) == (4, ["/bin/true", "one", "x" * 31, "three"])


def test_arguments_in_a_simulation() -> None:
    sim = Simulation()
    texts = [sim.user.put(text) for text in ("ls", "-l", "y" * 40)]
    argv = sim.user.put(b"".join(each.to_bytes(8, "little") for each in [*texts, 0]))
    parent: Any = {"pid": 3, "tgid": 3}
    usr: Any = {"d_name": {"name": sim.kernel.put("usr")}}
    usr["d_parent"] = usr
    file = {"f_path": {"dentry": {"d_name": {"name": sim.kernel.put("ls")}, "d_parent": usr}}}
    sim[only] = 3
    sim.run(started, task={"real_parent": parent}, old=0, bprm={"p": argv - 8, "file": file})
    (event,) = sim[execs]
    assert (event.argc, list(event.argv)) == (3, ["ls", "-l", "y" * 31, ""])
    assert event.path[: event.depth] == ["ls"]
