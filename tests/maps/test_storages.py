"""Local storages: what the kernel keeps with sockets, tasks, cgroups and inodes, and both sides' access to it."""

from __future__ import annotations

import os
import socket

import pytest

from pybpf import (
    CgroupSkbContext,
    CgroupStorage,
    CgrpStorage,
    InodeStorage,
    LoadError,
    PerCpuCgroupStorage,
    PybpfError,
    SkStorage,
    SockContext,
    Struct,
    TaskStorage,
    cgroup,
    current_task,
    i32,
    load,
    lsm,
    pid,
    tp_btf,
    u32,
    u64,
    var,
)
from pybpf.kernel import file, sock  # noqa: TC001 - annotations are read at run time
from tests.hooks.groups import inside, own_cgroup
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]


class Usage(Struct):
    calls: u64
    last: u32


talks = SkStorage[Usage]()
marks = SkStorage[u32]()
tasks = TaskStorage[Usage]()
counts = TaskStorage[u64]()
groups = CgrpStorage[Usage]()
labels = InodeStorage[Usage]()
old = CgroupStorage[Usage]()
each_cpu = PerCpuCgroupStorage[Usage]()
only_pid = var(u32, 0)
step = var(u32, 0)
found = var(u64, 0)


def proved(kind: str) -> None:
    for operation in ("create", "lookup", "update", "delete", "in program"):
        prove("map", kind, operation)


def datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", 9))
        sock.send(b"hello")


# --- sockets


@cgroup.skb.egress
def count_talk(pkt: CgroupSkbContext) -> bool:
    sk = pkt.sk
    if sk is not None:
        talk = talks.setdefault(sk, Usage(calls=100, last=7))
        if talk is not None:
            talk.calls += 1
            talk.last = pkt.len
    return True


@cgroup.sock_create
def mark_new(ctx: SockContext) -> bool:
    marks[ctx] = ctx.protocol
    marks[ctx] += 1
    return marks.get(ctx, 0) == ctx.protocol + 1 and ctx in marks


def test_sk_storage() -> None:
    with own_cgroup() as path, load(count_talk, mark_new) as obj, obj.attach(count_talk=path, mark_new=path):
        # a socket belongs to the cgroup of the process that makes it: one of ours gets values in user space alone
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            assert obj[talks].get(sock) is None
            assert sock not in obj[talks]
            obj[talks][sock] = Usage(calls=5, last=6)
            assert obj[talks][sock.fileno()] == Usage(calls=5, last=6)
            del obj[talks][sock]
            with pytest.raises(KeyError):
                obj[talks][sock]
            with pytest.raises(KeyError):
                del obj[talks][sock]

        def talk() -> tuple[int, int, int, int]:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("127.0.0.1", 9))
                mark = obj[marks][sock]
                for _ in range(3):
                    try:
                        sock.send(b"hello")
                    except ConnectionRefusedError:
                        sock.send(b"hello")
                value = obj[talks][sock]
                del obj[marks][sock]
                return mark, value.calls, value.last, obj[marks].get(sock, -1)

        assert inside(path, talk) == (socket.IPPROTO_UDP + 1, 103, 33, -1)
        proved("SK_STORAGE")
        with pytest.raises(TypeError, match="key of map 'talks': takes a socket or its file descriptor, not 'eth0'"):
            obj[talks]["eth0"]
        with open(os.devnull) as null, pytest.raises(PybpfError, match="names nothing that has such values"):
            obj[talks][null]
        with pytest.raises(TypeError, match="can't be listed"):
            list(obj[talks])


@tp_btf("inet_sock_set_state")
def count_states(sk: sock, oldstate: i32, newstate: i32) -> None:
    if pid() == only_pid:
        talk = talks.setdefault(sk, Usage(calls=0, last=0))
        if talk is not None:
            talk.calls += 1
            talk.last = newstate


def test_sk_storage_of_a_kernel_socket() -> None:
    with load(count_states, only_pid=os.getpid()) as obj, obj.attach(), socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert obj[talks][server] == Usage(calls=1, last=10)  # TCP_LISTEN


# --- tasks


@tp_btf("sys_enter")
def count_task() -> None:
    if pid() != only_pid:
        return
    task = current_task()
    usage = tasks.setdefault(task, Usage(calls=0, last=0))
    if usage is not None:
        usage.calls += 1
        usage.last = pid()
    if step == 1:
        counts[task] += 3
    elif step == 2:
        counts[task] = 4711
    elif step == 3:
        found = counts.pop(task, 1)  # noqa: F841
    elif step == 4:
        del counts[task]


def test_task_storage() -> None:
    with load(count_task, only_pid=os.getpid()) as obj, obj.attach():
        os.getppid()
        usage = obj[tasks][os.getpid()]
        assert usage.calls > 0
        assert usage.last == os.getpid()
        assert obj[tasks].get(os.getppid()) is None
        assert obj[counts].get(os.getpid()) is None
        obj[step] = 1
        os.getppid()
        obj[step] = 0
        assert obj[counts][os.getpid()] % 3 == 0
        assert obj[counts][os.getpid()] > 0
        obj[step] = 2
        os.getppid()
        obj[step] = 0
        assert obj[counts][os.getpid()] == 4711
        obj[step] = 3
        os.getppid()
        obj[step] = 0
        assert os.getpid() not in obj[counts]
        obj[counts][os.getpid()] = 1
        obj[step] = 4
        os.getppid()
        obj[step] = 0
        assert os.getpid() not in obj[counts]
        obj[tasks][os.getpid()] = Usage(calls=1_000_000, last=0)
        os.getppid()
        assert obj[tasks][os.getpid()].calls > 1_000_000
        number = os.pidfd_open(os.getpid())

        class Process:
            def fileno(self) -> int:
                return number

        assert Process() in obj[tasks]
        os.close(number)
        only = obj[only_pid]
        obj[only_pid] = 0
        del obj[tasks][os.getpid()]
        assert os.getpid() not in obj[tasks]
        assert only == os.getpid()
        proved("TASK_STORAGE")


# --- cgroups


@tp_btf("sys_enter")
def count_group() -> None:
    if only_pid == 0:
        return
    usage = groups.get(current_task().cgroups.dfl_cgrp)
    if usage is not None:
        usage.calls += 1


def test_cgrp_storage() -> None:
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 2):
        pytest.skip("this kernel has no cgroup storage of that type (Linux 6.2)")
    with own_cgroup() as path, load(count_group, only_pid=1) as obj, obj.attach():
        obj[groups][path] = Usage(calls=0, last=9)
        assert obj[groups][path] == Usage(calls=0, last=9)  # nobody is in it
        inside(path, os.getppid)
        assert obj[groups][path].calls > 0
        directory = os.open(path, os.O_RDONLY)
        assert obj[groups][directory].last == 9
        os.close(directory)
        del obj[groups][path]
        assert path not in obj[groups]
        with pytest.raises(PybpfError, match="it takes a cgroup's directory or its file descriptor"):
            obj[groups]["/tmp"]
        proved("CGRP_STORAGE")


# --- inodes


@lsm("file_open")
def count_opens(file: file) -> int:
    label = labels.get(file.f_inode)
    if label is not None:
        label.calls += 1
    return 0


def test_inode_storage(tmp_path: pytest.TempPathFactory) -> None:
    place = f"{tmp_path}/file"
    with open(place, "w", encoding="ascii") as made:
        made.write("hello")
    try:
        obj = load(count_opens)
    except (LoadError, PermissionError) as error:
        pytest.skip(f"this kernel refuses LSM programs: {error}")
    with obj, obj.attach():
        obj[labels][place] = Usage(calls=0, last=5)
        with open(place, encoding="ascii") as opened:
            assert obj[labels][opened] == Usage(calls=1, last=5)
        del obj[labels][place]
        assert place not in obj[labels]
        proved("INODE_STORAGE")


# --- the older storage of cgroups


@cgroup.skb.egress
def count_old(pkt: CgroupSkbContext) -> bool:
    value = old.local()
    value.calls += 1
    value.last = pkt.len
    each_cpu.local().calls += 2
    return True


def test_deprecated_cgroup_storage() -> None:
    with own_cgroup() as path, load(count_old) as obj, obj.attach(count_old=path):
        number = os.stat(path).st_ino
        assert obj[old][number] == Usage(calls=0, last=0)
        inside(path, datagram)
        assert obj[old][number] == Usage(calls=1, last=33)
        assert sum(value.calls for value in obj[each_cpu][number]) == 2
        obj[old][number] = Usage(calls=40, last=0)
        inside(path, datagram)
        assert obj[old][number].calls == 41
        assert list(obj[old]) == [number]
        for kind in ("CGROUP_STORAGE", "PERCPU_CGROUP_STORAGE"):
            for operation in ("create", "lookup", "in program"):
                prove("map", kind, operation)
        prove("map", "CGROUP_STORAGE", "update")
        prove("map", "CGROUP_STORAGE", "iterate")
