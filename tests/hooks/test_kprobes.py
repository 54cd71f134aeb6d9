"""Probes of kernel functions and system calls. This machine's kernel may only load them; in the VMs they fire."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import Any

import pytest

from pybpf import (
    AttachError,
    HashMap,
    L,
    LoadError,
    PtRegs,
    SessionContext,
    Struct,
    Target,
    Text,
    VerifierError,
    const,
    i32,
    i64,
    kernel_str,
    kprobe,
    kretprobe,
    kretsyscall,
    ksyscall,
    load,
    pid,
    u32,
    u64,
    user_str,
)
from pybpf.kernel import dentry, filename  # noqa: TC001
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]


class Name(Struct):
    text: Text[L[64]]


mine = const(u32, 0)
values = HashMap[u32, i64](max_entries=64)
names = HashMap[u32, Name](max_entries=8)
functions = HashMap[u64, u64](max_entries=512)
RELEASE = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


@kprobe("do_unlinkat")
def enter(ctx: PtRegs, name: filename, dfd: i32) -> None:
    """Parameters in another order than C's."""
    if pid() == mine:
        values[0] = dfd
        names[0] = Name(text=kernel_str(name.name))
        values[1] = i64(ctx.cookie())
        values[2] = 1 if ctx.func_ip() else 0
        values[3] = i32(ctx.parm1)


@kretprobe("do_unlinkat")
def leave(result: i32) -> None:
    if pid() == mine:
        values[4] = result


@kprobe("vfs_unlink")
def unlinked(dentry: dentry) -> None:
    if pid() == mine:
        names[1] = Name(text=kernel_str(dentry.d_name.name))


@ksyscall("openat")
def opening(filename: u64, flags: i32, mode) -> None:  # type: ignore[no-untyped-def]
    if pid() == mine:
        names[2] = Name(text=user_str(filename))
        values[5] = flags
        values[6] = mode


@kretsyscall("openat")
def opened(ctx: PtRegs, fd: i64) -> None:
    if pid() == mine:
        values[7] = fd
        values[8] = i64(ctx.cookie())


@ksyscall("pread64")
def reading(pos: i64, count: u64) -> None:
    """The fourth argument of a system call is in another register than that of a function."""
    if pid() == mine:
        values[9] = pos
        values[10] = i64(count)


@kprobe.multi("vfs_*link")
def many(ctx: PtRegs) -> None:
    if pid() == mine:
        functions[ctx.func_ip()] += 1
        values[11] = i64(ctx.cookie())


@kprobe.multi(["vfs_unlink", "do_unlinkat"])
def listed(ctx: PtRegs) -> None:
    if pid() == mine:
        functions[ctx.cookie()] += 1


@kretprobe.multi("do_unlinkat")
def many_return(result: i32) -> None:
    if pid() == mine:
        values[12] = result


@kprobe.session("do_unlinkat")
def session(ctx: SessionContext) -> int:
    if pid() != mine:
        return 1
    if ctx.is_return():
        values[13] += 1
        values[14] = i64(ctx.session_cookie())
        values[15] = i32(ctx.rc)
    else:
        values[16] += 1
        ctx.set_session_cookie(4711)
    return 0


@kprobe.session("do_unlinkat")
def entry_only(ctx: SessionContext) -> int:
    if pid() == mine:
        values[17] += 1
    return 1


def attach(obj: Any, **options: Any) -> Any:
    """Attach, or skip where this kernel has no such probes."""
    try:
        return obj.attach(**options)
    except AttachError as error:
        text = str(error)
        if any(code in text for code in ("EOPNOTSUPP", "has no kprobes")) or not KPROBES:
            pytest.skip("this kernel is built without probes of its functions, or of that kind")
        if "EINVAL" in text and RELEASE < (6, 10):
            pytest.skip("this kernel has no links to many functions")
        raise


KPROBES = os.path.exists("/sys/kernel/debug/kprobes") or os.path.exists("/sys/bus/event_source/devices/kprobe")


def unlink() -> str:
    """Remove a file that there is, and one that is gone."""
    handle, path = tempfile.mkstemp(prefix="probed")
    os.close(handle)
    os.unlink(path)
    with suppress(FileNotFoundError):
        os.unlink(path)
    return path


def test_entry_and_return_by_name() -> None:
    with load(enter, leave, unlinked, mine=os.getpid()) as obj:
        prove("hook", "kprobe+", "loaded")
        prove("hook", "kretprobe+", "loaded")
        with attach(obj, enter={"cookie": 99}):
            prove("hook", "kprobe+", "attached")
            prove("hook", "kretprobe+", "attached")
            path = unlink()
            seen = obj[values]
            assert (seen[0], seen[1], seen[2], seen[3]) == (-100, 99, 1, -100)
            assert obj[names][0].text == path and obj[names][1].text == os.path.basename(path)
            assert seen[4] == -2  # ENOENT of the second
            prove("hook", "kprobe+", "fired")
            prove("hook", "kretprobe+", "fired")


def test_system_calls() -> None:
    with load(opening, opened, reading, mine=os.getpid()) as obj:
        prove("hook", "ksyscall+", "loaded")
        prove("hook", "kretsyscall+", "loaded")
        with attach(obj, opened={"cookie": 7}):
            prove("hook", "ksyscall+", "attached")
            prove("hook", "kretsyscall+", "attached")
            path = f"/tmp/probed-{os.getpid()}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            os.unlink(path)
            os.pread(fd, 17, 5)
            os.close(fd)
            seen = obj[values]
            assert obj[names][2].text == path
            assert seen[5] == os.O_RDWR | os.O_CREAT | os.O_CLOEXEC and seen[6] == 0o640
            assert (seen[7], seen[8]) == (fd, 7)
            assert (seen[9], seen[10]) == (5, 17)
            prove("hook", "ksyscall+", "fired")
            prove("hook", "kretsyscall+", "fired")


def test_pattern_and_list() -> None:
    with load(many, listed, many_return, mine=os.getpid()) as obj:
        prove("hook", "kprobe.multi+", "loaded")
        prove("hook", "kretprobe.multi+", "loaded")
        with attach(obj, many={"cookie": 5}, listed={"cookies": {"vfs_unlink": 1001, "do_unlinkat": 1002}}):
            prove("hook", "kprobe.multi+", "attached")
            prove("hook", "kretprobe.multi+", "attached")
            unlink()
            seen = dict(obj[functions].items())
            assert seen.pop(1001) == 1 and seen.pop(1002) == 2
            assert list(seen.values()) == [1]  # vfs_unlink, by its address
            assert obj[values][11] == 5 and obj[values][12] == -2
            prove("hook", "kprobe.multi+", "fired")
            prove("hook", "kretprobe.multi+", "fired")
        program = obj.programs["many"]
        assert not obj.links
        with program.attach():  # by addresses
            unlink()
        assert sum(obj[functions].values()) == 5 and obj[values][11] == 0
        with pytest.raises(AttachError, match="no kernel function matches no_such_"):
            program.attach("no_such_*")
        with pytest.raises(AttachError, match="do_unlinkatt") as caught:
            program.attach(["do_unlinkatt"])
        assert "did you mean" in caught.value.help and "do_unlinkat" in caught.value.help
        with pytest.raises(AttachError, match="a cookie is given for 'vfs_read'"):
            program.attach(["vfs_unlink"], cookies={"vfs_read": 1})


def test_sessions() -> None:
    try:
        obj = load(session, entry_only, mine=os.getpid(), target=Target(kernel=(6, 10)))
    except (LoadError, VerifierError):
        if RELEASE >= (6, 10):
            raise
        pytest.skip("this kernel has no sessions")
    with obj:
        prove("hook", "kprobe.session+", "loaded")
        with attach(obj):
            prove("hook", "kprobe.session+", "attached")
            unlink()
            seen = obj[values]
            assert (seen[13], seen[16], seen[17]) == (2, 2, 2)
            assert seen[14] == 4711 and seen[15] == -2
            prove("hook", "kprobe.session+", "fired")


def test_no_such_function() -> None:
    with load(enter, mine=1) as obj:
        with pytest.raises(AttachError, match="do_unlinkatt") as caught:
            obj.programs["enter"].attach("do_unlinkatt")
        assert "did you mean" in caught.value.help
        with pytest.raises(AttachError, match="which kernel function"):
            obj.programs["enter"].attach("a b")
