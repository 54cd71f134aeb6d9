"""Decisions of the kernel's security modules."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import CompileError, LoadError, NotPermitted, build, check, const, i32, load, lsm, pid, u32, u64, var
from pybpf.kernel import file, linux_binprm, sockaddr, sockaddr_in, task_struct
from pybpf.kernel import socket as kernel_socket
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

me = const(u32, 0)
secret = const(u64, 0)
calls = var(u64, 0)
seen = var(u64, 0)


@lsm("file_open")
def guard(file: file, ret: i32) -> int:
    global calls
    if pid() != me or file.f_inode.i_ino != secret or ret:
        return 0
    calls += 1
    return -13


@lsm("bprm_check_security", sleepable=True)
def program_start(bprm: linux_binprm) -> int:
    global calls
    if bprm.file.f_inode.i_ino == secret:
        calls += 1
        return -1
    return 0


@lsm("task_free")
def gone(task: task_struct) -> None:
    global calls
    if task.real_parent.tgid == me:
        calls += 1


@lsm.cgroup("socket_bind")
def only_loopback(sock: kernel_socket, address: sockaddr) -> bool:
    global calls, seen
    calls += 1
    seen = sock.sk.__sk_common.skc_family if address.sa_family == 2 else 0
    return sockaddr_in(address).sin_addr.s_addr == 0x7F000001


def loaded(*programs: Any, **options: Any) -> Any:
    """The programs, loaded; or a skip where the kernel takes none of that kind."""
    try:
        return load(*programs, **options)
    except NotPermitted as error:
        assert "this kernel refuses lsm" in str(error)
        pytest.skip("this kernel refuses LSM programs")


@pytest.fixture(autouse=True)
def _module() -> None:
    names = Path("/sys/kernel/security/lsm")
    if names.exists() and "bpf" not in names.read_text():
        pytest.skip("this kernel was booted without lsm=bpf")


@pytest.fixture
def hidden() -> Iterator[str]:
    with tempfile.NamedTemporaryFile(dir="/tmp") as made:
        os.chmod(made.name, 0o755)
        yield made.name


def test_file_open(hidden: str) -> None:
    with loaded(guard, me=os.getpid(), secret=os.stat(hidden).st_ino) as obj:
        prove("hook", "lsm+", "loaded")
        with obj.attach():
            prove("hook", "lsm+", "attached")
            with pytest.raises(PermissionError):
                os.open(hidden, os.O_RDONLY)
        assert obj[calls] == 1
        prove("hook", "lsm+", "fired")
        os.close(os.open(hidden, os.O_RDONLY))


def test_sleepable(hidden: str) -> None:
    copy = hidden + ".run"
    Path(copy).write_text("#!/bin/true\n")
    os.chmod(copy, 0o755)
    try:
        with loaded(program_start, secret=os.stat(copy).st_ino) as obj:
            prove("hook", "lsm.s+", "loaded")
            with obj.attach():
                prove("hook", "lsm.s+", "attached")
                with pytest.raises(PermissionError):
                    subprocess.run([copy], check=True)
            assert obj[calls] == 1
            prove("hook", "lsm.s+", "fired")
    finally:
        os.unlink(copy)


def test_a_hook_without_an_answer() -> None:
    with loaded(gone, me=os.getpid()) as obj:
        obj.attach()


def test_cgroup() -> None:
    root = next(Path(p) for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if Path(p, "cgroup.procs").exists())
    group = root / f"pybpf-lsm-{os.getpid()}"
    with loaded(only_loopback) as obj:
        prove("hook", "lsm_cgroup+", "loaded")
        group.mkdir()
        try:
            with obj.attach(only_loopback=str(group)):
                prove("hook", "lsm_cgroup+", "attached")
                child = os.fork()
                if not child:
                    (group / "cgroup.procs").write_text(str(os.getpid()))
                    with socket.socket() as inside, socket.socket() as other:
                        inside.bind(("127.0.0.1", 0))
                        try:
                            other.bind(("0.0.0.0", 0))
                        except PermissionError:
                            os._exit(7)
                    os._exit(1)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            assert (obj[calls], obj[seen]) == (2, socket.AF_INET)
            prove("hook", "lsm_cgroup+", "fired")
        finally:
            group.rmdir()


# --- what is refused before loading


def errors(*programs: Any) -> str:
    with pytest.raises(CompileError) as caught:
        build(*programs)
    return str(caught.value)


def test_answers() -> None:
    @lsm("file_open")
    def positive(file: file) -> int:
        return 1 if file.f_flags else 0

    @lsm("task_free")
    def answered(task: task_struct) -> int:
        return 0

    @lsm.cgroup("socket_bind")
    def errno() -> int:
        return -1

    assert "the answer of a program at @lsm must lie between -4095 and 0" in errors(positive)
    assert "the kernel takes no answer at task_free: answered() must return None" in errors(answered)
    assert "the answer of a program at @lsm.cgroup must lie between 0 and 1" in errors(errno)


def test_hooks_that_programs_may_not_have() -> None:
    with pytest.raises(ValueError, match="no program may run at getprocattr"):
        lsm("getprocattr")
    with pytest.raises(ValueError, match="file_permission is called where the kernel can't sleep"):
        lsm("file_permission", sleepable=True)

    @lsm("file_opn")
    def misspelt() -> int:
        return 0

    assert [each.code for each in check(misspelt)] == ["W0906"]
    with pytest.raises((LoadError, NotPermitted)):
        load(misspelt)
