"""Probes of functions in user space: of one and of many, sleepable, in sessions, with cookies, of one process."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import Any

import pytest

from pybpf import (
    AttachError,
    HashMap,
    LoadError,
    PtRegs,
    SessionContext,
    Struct,
    Target,
    VerifierError,
    const,
    helpers,
    load,
    pid,
    u32,
    u64,
    uprobe,
    uretprobe,
)
from pybpf.runtime import binaries
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

libc: Any = ctypes.CDLL(None)
for name in ("labs", "llabs"):
    getattr(libc, name).argtypes = [ctypes.c_long]
    getattr(libc, name).restype = ctypes.c_long

mine = const(u32, 0)
values = HashMap[u32, u64](max_entries=64)
by_cookie = HashMap[u64, u64](max_entries=64)


class Word(Struct):
    value: u64


@uprobe("libc", "labs")
def entry(ctx: PtRegs, number: u64) -> None:
    if pid() == mine:
        values[0] = number
        values[1] = ctx.cookie()
        values[2] = ctx.parm1


@uretprobe("libc", "labs")
def leave(ctx: PtRegs, result: u64) -> None:
    if pid() == mine:
        values[3] = result
        values[4] = ctx.rc


@uprobe("libc", "labs")
def flag(odd: bool) -> None:
    """Of a flag the register's lowest 8 bits count."""
    if pid() == mine:
        values[20] = 1 if odd else 0


@uprobe("libc", "labs", sleepable=True)
def entry_s(ctx: PtRegs) -> None:
    if pid() == mine:
        word = Word(value=0)
        helpers.bpf_copy_from_user(word, 8, ctx.sp)  # where the caller goes on
        values[5] = word.value


@uretprobe("libc", "labs", sleepable=True)
def leave_s(result: u64) -> None:
    if pid() == mine:
        values[6] = result


@uprobe.multi("libc", ["labs", "llabs"])
def many(ctx: PtRegs) -> None:
    if pid() == mine:
        by_cookie[ctx.cookie()] += 1


@uprobe.multi("libc", "*labs")
def pattern(ctx: PtRegs) -> None:
    if pid() == mine:
        by_cookie[ctx.cookie()] += 1


@uretprobe.multi("libc", "*labs")
def many_return(ctx: PtRegs, result: u64) -> None:
    if pid() == mine:
        values[7] = result


@uprobe.multi("libc", "labs", sleepable=True)
def many_s(ctx: PtRegs) -> None:
    if pid() == mine:
        values[8] += 1


@uretprobe.multi("libc", "labs", sleepable=True)
def many_return_s(ctx: PtRegs) -> None:
    if pid() == mine:
        values[9] += 1


@uprobe.session("libc", "*labs")
def session(ctx: SessionContext) -> int:
    """Runs at the returns of calls with numbers from 100 on."""
    if pid() != mine:
        return 1
    if ctx.is_return():
        values[10] += 1
        values[11] = ctx.session_cookie()
        values[12] = ctx.rc
        return 0
    values[13] += 1
    ctx.set_session_cookie(ctx.parm1)
    return 0 if ctx.parm1 >= 100 else 1


@uprobe.session("libc", "labs", sleepable=True)
def session_s(ctx: SessionContext) -> None:
    if pid() == mine:
        values[14] += 1


def loaded(*programs: Any, kernel: tuple[int, int] | None = None) -> Any:
    options: dict[str, Any] = {"target": Target(kernel=kernel)} if kernel else {}
    return load(*programs, mine=os.getpid(), **options)


def attached(obj: Any, what: str, **options: Any) -> Any:
    """Attach, or skip where the kernel has no such probes."""
    try:
        return obj.attach(**options)
    except AttachError as error:
        if "need Linux" in error.help:
            pytest.skip(f"this kernel has no {what}")
        raise


def loaded_or_skip(what: str, *programs: Any, kernel: tuple[int, int]) -> Any:
    try:
        return loaded(*programs, kernel=kernel)
    except (LoadError, VerifierError):
        release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
        if release >= kernel:
            raise
        pytest.skip(f"this kernel has no {what}")


def test_one_function_with_a_cookie() -> None:
    with loaded(entry, leave) as obj:
        prove("hook", "uprobe+", "loaded")
        prove("hook", "uretprobe+", "loaded")
        with obj.attach(entry={"cookie": 99, "pid": os.getpid()}, leave={"pid": os.getpid()}):
            prove("hook", "uprobe+", "attached")
            prove("hook", "uretprobe+", "attached")
            assert libc.labs(-77) == 77
            assert obj[values][0] == obj[values][2] == (1 << 64) - 77
            assert obj[values][1] == 99
            assert obj[values][3] == obj[values][4] == 77
            prove("hook", "uprobe+", "fired")
            prove("hook", "uretprobe+", "fired")


def test_flag() -> None:
    with loaded(flag) as obj, obj.attach(pid=os.getpid()):
        for number, said in ((256, 0), (257, 1), (0, 0)):
            libc.labs(number)
            assert obj[values][20] == said


def test_sleepable() -> None:
    with loaded(entry_s, leave_s) as obj, obj.attach(pid=os.getpid()):
        assert libc.labs(-5) == 5
        assert obj[values][5] > 4096 and obj[values][6] == 5
    for row in ("uprobe.s+", "uretprobe.s+"):
        for what in ("loaded", "attached", "fired"):
            prove("hook", row, what)


def test_many_functions_with_a_cookie_each() -> None:
    with loaded_or_skip("probes of many places", many, kernel=(6, 6)) as obj:
        prove("hook", "uprobe.multi+", "loaded")
        cookies = {"labs": 11, "llabs": 22}
        with attached(obj, "probes of many places", many={"pid": os.getpid(), "cookies": cookies}):
            prove("hook", "uprobe.multi+", "attached")
            libc.labs(-1)
            libc.labs(-2)
            libc.llabs(-3)
            seen = dict(obj[by_cookie].items())
            assert sum(seen.values()) == 3 and set(seen) <= {11, 22}
            prove("hook", "uprobe.multi+", "fired")
        libc.labs(-4)
        assert sum(obj[by_cookie].values()) == 3


def test_pattern_and_other_targets() -> None:
    with loaded_or_skip("probes of many places", pattern, many_return, kernel=(6, 6)) as obj:
        with attached(obj, "probes of many places", pid=os.getpid(), pattern={"cookie": 5}):
            assert libc.labs(-8) == 8
            assert dict(obj[by_cookie].items()) == {5: 1}
            assert obj[values][7] == 8
            for what in ("loaded", "attached", "fired"):
                prove("hook", "uretprobe.multi+", what)
        program = obj.programs["pattern"]
        path = binaries.find_binary("c")
        with program.attach(os.getpid(), file=path, offsets=[binaries.symbol_offset(path, "labs")]):
            libc.labs(-9)
        assert dict(obj[by_cookie].items()) == {5: 1, 0: 1}
        with pytest.raises(AttachError, match=r"no function that matches 'no_such_.*'"):
            program.attach(functions="no_such_*")
        with pytest.raises(AttachError, match=r"no function 'lab'\nhelp: did you mean .*labs"):
            program.attach(functions=["lab"])
        with pytest.raises(AttachError, match="a cookie is given for 'lubs', which is not probed"):
            program.attach(functions=["labs"], cookies={"lubs": 1})


def test_many_of_one_process_only() -> None:
    with loaded_or_skip("probes of many places", pattern, kernel=(6, 6)) as obj:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            with attached(obj, "probes of many places", pattern={"pid": other.pid}):
                libc.labs(-8)
                assert not obj[by_cookie]
            other.communicate(b"\n")
        with pytest.raises(AttachError, match=f"no process {other.pid}"):
            obj.programs["pattern"].attach(pid=other.pid)


def test_many_sleepable() -> None:
    what = "probes of many places"
    with loaded_or_skip(what, many_s, many_return_s, kernel=(6, 6)) as obj, attached(obj, what, pid=os.getpid()):
        libc.labs(-8)
        assert obj[values][8] == obj[values][9] == 1
    for row in ("uprobe.multi.s+", "uretprobe.multi.s+"):
        for what in ("loaded", "attached", "fired"):
            prove("hook", row, what)


def test_session() -> None:
    with loaded_or_skip("sessions of uprobes", session, kernel=(6, 13)) as obj:
        prove("hook", "uprobe.session+", "loaded")
        with attached(obj, "sessions of uprobes", pid=os.getpid()):
            prove("hook", "uprobe.session+", "attached")
            libc.labs(5)
            assert obj[values][13] == 1 and 10 not in obj[values]
            libc.labs(500)
            assert obj[values][13] == 2 and obj[values][10] == 1
            assert obj[values][11] == obj[values][12] == 500
            prove("hook", "uprobe.session+", "fired")


def test_sleepable_session() -> None:
    what = "sessions of uprobes"
    with loaded_or_skip(what, session_s, kernel=(6, 13)) as obj, attached(obj, what, pid=os.getpid()):
        libc.labs(5)
        assert obj[values][14] == 2
    for what in ("loaded", "attached", "fired"):
        prove("hook", "uprobe.session.s+", what)


def test_versions_of_a_symbol() -> None:
    path = binaries.find_binary("c")
    with open(path, "rb") as file:
        text = file.read()
    if b"GLIBC_2.3.2" not in text or b"pthread_cond_wait" not in text:
        pytest.skip("this kernel runs a libc without two versions of pthread_cond_wait")
    old = binaries.symbol_offset(path, "pthread_cond_wait@GLIBC_2.2.5")
    new = binaries.symbol_offset(path, "pthread_cond_wait@@GLIBC_2.3.2")
    assert old != new == binaries.symbol_offset(path, "pthread_cond_wait")
    with pytest.raises(AttachError, match=r"no 'pthread_cond_wait' of version GLIBC_9\nhelp: there is .*GLIBC_2.3.2"):
        binaries.symbol_offset(path, "pthread_cond_wait@GLIBC_9")
