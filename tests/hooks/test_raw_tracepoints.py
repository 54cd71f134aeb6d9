"""Raw tracepoints: their arguments, cookies, memory that programs may change; and sleepable ones."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import pytest

from pybpf import (
    XDP,
    AttachError,
    HashMap,
    LoadError,
    RawTracepointContext,
    Struct,
    Target,
    TracepointContext,
    VerifierError,
    XdpContext,
    build,
    const,
    helpers,
    i32,
    i64,
    load,
    pid,
    raw_tp,
    tracepoint,
    u32,
    u64,
    xdp,
)
from pybpf.building import compile_specs
from pybpf.compiler.schema.record import replace
from pybpf.runtime import RunError
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

mine = const(u32, 0)
values = HashMap[u32, i64](max_entries=16)
GETPPID = 110


class Answer(Struct):
    error: i32


@raw_tp("sys_enter")
def entered(regs: u64, number: i64) -> None:
    if pid() == mine and number == GETPPID:
        values[0] = number


@raw_tp("sys_enter")
def with_cookie(ctx: RawTracepointContext) -> None:
    if pid() == mine and ctx.args[1] == GETPPID:
        values[1] = i64(ctx.cookie())


@tracepoint("syscalls:sys_enter_getppid")
def called(ctx: TracepointContext) -> None:
    if pid() == mine:
        values[2] += 1
        values[3] = i64(helpers.bpf_get_attach_cookie(ctx))


@raw_tp.writable("bpf_test_finish")
def finished(answer: Answer) -> None:
    """The kernel's own trial run of a program: what it reports can be changed."""
    if pid() == mine:
        values[4] = answer.error
        answer.error = -42


@tracepoint("syscalls:sys_enter_getppid", sleepable=True)
def sleepy(ctx: TracepointContext) -> None:
    if pid() == mine:
        values[5] += 1


@raw_tp("sys_enter", sleepable=True)
def raw_sleepy(regs: u64, number: i64) -> None:
    if pid() == mine and number == GETPPID:
        values[6] += 1


@xdp
def tried(pkt: XdpContext) -> XDP:
    return XDP.PASS


def test_cookies() -> None:
    with load(entered, called, mine=os.getpid()) as obj:
        prove("hook", "raw_tp+", "loaded")
        prove("hook", "tracepoint+", "loaded")
        with obj.attach(called={"cookie": 31}):
            prove("hook", "raw_tp+", "attached")
            prove("hook", "tracepoint+", "attached")
            os.getppid()
            assert obj[values][0] == GETPPID
            assert (obj[values][2], obj[values][3]) == (1, 31)
            prove("hook", "raw_tp+", "fired")
            prove("hook", "tracepoint+", "fired")


def test_cookies_of_raw_tracepoints() -> None:
    with load(entered, mine=os.getpid()) as obj:
        try:
            obj.programs["entered"].attach(cookie=17)
        except AttachError as error:
            assert error.help == "raw tracepoints have cookies since Linux 6.10"
            pytest.skip("this kernel has no cookies of raw tracepoints")
    with load(with_cookie, mine=os.getpid()) as obj:
        for given in (17, 0):
            with obj.programs["with_cookie"].attach(cookie=given):
                os.getppid()
                assert obj[values][1] == given


def test_writable() -> None:
    with load(finished, mine=os.getpid()) as obj, load(tried) as other:
        prove("hook", "raw_tp.w+", "loaded")
        program: Any = other.programs["tried"]
        assert program.test(bytes(64)).retval == XDP.PASS
        with obj.attach():
            prove("hook", "raw_tp.w+", "attached")
            with pytest.raises(RunError, match="ENOMSG"):  # 42
                program.test(bytes(64))
            assert obj[values][4] == 0
            prove("hook", "raw_tp.w+", "fired")
        assert program.test(bytes(64)).retval == XDP.PASS
        with pytest.raises(AttachError, match=r"raw tracepoint sys_enter: EINVAL .*\nhelp: .*lets be written"):
            obj.programs["finished"].attach("sys_enter")


@pytest.mark.parametrize(
    ("program", "section", "value"),
    [
        (called, "tp/syscalls/sys_enter_getppid", 2),
        (entered, "raw_tracepoint/sys_enter", 0),
        (finished, "raw_tracepoint.w/bpf_test_finish", 4),
    ],
)
def test_older_names_of_sections(program: Any, section: str, value: int) -> None:
    """Objects of other compilers have them."""
    row = section.partition("/")[0] + "+"
    made = compile_specs([replace(program.__bpf__, section=section)], None, "", {})
    with load(made, mine=os.getpid()) as obj, load(tried) as other:
        prove("hook", row, "loaded")
        with obj.attach():
            prove("hook", row, "attached")
            os.getppid()
            with suppress(RunError):
                other.programs["tried"].test(bytes(64))
            assert value in obj[values]
            prove("hook", row, "fired")


@pytest.mark.parametrize(("program", "row", "value"), [(sleepy, "tracepoint.s+", 5), (raw_sleepy, "raw_tp.s+", 6)])
def test_sleepable(program: Any, row: str, value: int) -> None:
    try:
        obj = load(build(program, target=Target(kernel=(7, 2))), mine=os.getpid())
    except (LoadError, VerifierError) as error:
        assert "sleepable" in str(error), error
        pytest.skip("this kernel lets no tracepoints sleep")
    with obj:
        prove("hook", row, "loaded")
        with obj.attach():
            prove("hook", row, "attached")
            os.getppid()
            assert obj[values][value] == 1
            prove("hook", row, "fired")
