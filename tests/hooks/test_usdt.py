"""USDT probes of a library: arguments in registers, memory and constants; counters, cookies, several places."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pybpf import AttachError, HashMap, UsdtContext, i8, i32, i64, load, pid, u16, u32, u64, usdt
from pybpf import const as constant
from pybpf.runtime import usdt as notes
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

# Each process has its own: overwriting a library that another one has mapped would crash that.
LIBRARY = os.environ.get("PYBPF_TEST_PROBED") or f"/tmp/libpybpfprobed-{os.getpid()}.so"
mine = constant(u32, 0)
values = HashMap[u32, i64](max_entries=64)
calls = HashMap[u64, u64](max_entries=64)


@usdt(LIBRARY, "pybpf", "fire")
def fire(
    register: i64, low: i32, plain: u32, byte: i8, number: i64, wide: i64, indexed: u64, short: u16
) -> None:  # fmt: skip
    if pid() == mine:
        values[0], values[1], values[2], values[3] = register, low, plain, byte
        values[4], values[5], values[6], values[7] = number, wide, i64(indexed), short


@usdt(LIBRARY, "pybpf", "twice")
def twice(ctx: UsdtContext, number: u64) -> None:
    if pid() == mine:
        calls[number] += 1
        values[8] = i64(ctx.cookie())
        values[9] = ctx.usdt_arg_count()
        values[10] = i64(ctx.usdt_arg(0))
        values[11] = i64(ctx.usdt_arg(5))


@usdt(LIBRARY, "pybpf", "empty")
def empty() -> None:
    if pid() == mine:
        calls[77] += 1


@usdt(LIBRARY, "pybpf", "twice", sleepable=True)
def twice_s(number: u64) -> None:
    if pid() == mine:
        calls[number] += 1


@usdt(LIBRARY, "pybpf", "odd")
def odd(ctx: UsdtContext) -> None:
    values[0] = i64(ctx.usdt_arg(0))


@pytest.fixture(scope="module")
def library() -> Any:
    source = Path(__file__).with_name("probed.S")
    subprocess.run(["gcc", "-shared", "-nostdlib", "-o", LIBRARY, source], check=True)
    loaded = ctypes.CDLL(LIBRARY)
    loaded.fire.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_long]
    loaded.fire.restype = None
    loaded.twice.argtypes = [ctypes.c_long]
    loaded.twice.restype = None
    yield loaded
    os.unlink(LIBRARY)


def test_notes(library: Any) -> None:
    first, second = notes.probes(LIBRARY, "pybpf", "twice")
    assert first.offset < second.offset and first.counter == second.counter > 0
    assert (first.arguments, second.arguments) == ("8@%rdi", "8@%r10")
    assert notes.probes(LIBRARY, "pybpf", "empty")[0].arguments == ""
    assert len(notes.spec(LIBRARY, first, 3)) == 208
    with pytest.raises(AttachError, match=r"no USDT probe pybpf:twise\nhelp: did you mean pybpf:twice"):
        notes.probes(LIBRARY, "pybpf", "twise")
    with pytest.raises(AttachError, match="argument '8f@%xmm0' lies where programs can't read it"):
        notes.spec(LIBRARY, notes.probes(LIBRARY, "pybpf", "odd")[0], 0)
    with pytest.raises(AttachError, match="is not an ELF file"):
        notes.probes(__file__, "pybpf", "twice")


def test_arguments(library: Any) -> None:
    array = (ctypes.c_uint64 * 4)(0x1_0001_8001, 20, 30, (1 << 62) + 40)
    with load(fire, mine=os.getpid()) as obj:
        prove("hook", "usdt+", "loaded")
        with obj.attach(pid=os.getpid()) as running:
            (link,) = running.links
            assert (link.kind, link.target) == ("usdt", f"{LIBRARY}:pybpf:fire")
            prove("hook", "usdt+", "attached")
            library.fire(-(1 << 40), -3, array, 2)
        seen = obj[values]
        assert [seen[n] for n in range(8)] == [
            -(1 << 40), -3, (1 << 32) - 3, -3, -7, -(1 << 40), (1 << 62) + 40, 0x8001,
        ]  # fmt: skip
        prove("hook", "usdt+", "fired")


def test_all_places_with_cookie_and_counter(library: Any) -> None:
    assert library.enabled() == 0
    with load(twice, empty, mine=os.getpid()) as obj:
        with obj.attach(twice={"pid": os.getpid(), "cookie": 1234}, empty=os.getpid()):
            assert library.enabled() > 0
            library.twice(42)
            library.empty()
            assert dict(obj[calls].items()) == {42: 2, 77: 1}
            assert [obj[values][n] for n in range(8, 12)] == [1234, 1, 42, 0]
        library.twice(43)
        assert 43 not in obj[calls] and library.enabled() == 0
        with obj.programs["twice"].attach(os.getpid()):
            library.twice(44)
            assert obj[calls][44] == 2 and obj[values][8] == 0


def test_sleepable(library: Any) -> None:
    with load(twice_s, mine=os.getpid()) as obj:
        with obj.attach(pid=os.getpid()):
            library.twice(5)
        assert obj[calls][5] == 2
    for what in ("loaded", "attached", "fired"):
        prove("hook", "usdt.s+", what)


def test_wrong_probes(library: Any) -> None:
    with load(odd) as obj:
        with pytest.raises(AttachError, match="'8f@%xmm0' lies where programs can't read it"):
            obj.programs["odd"].attach()
        with pytest.raises(AttachError, match="no USDT probe pybpf:off\nhelp: did you mean pybpf:odd"):
            obj.programs["odd"].attach(name="off")
        with pytest.raises(AttachError, match="no process 999999999"):
            obj.programs["odd"].attach(999_999_999, name="twice")


def test_by_another_libbpf(library: Any) -> None:
    """The system's library loads the program for perf events, one for each place; and it can attach it itself."""
    code = """if True:
        import ctypes, os
        from tests.hooks import test_usdt as t
        from pybpf.runtime.libbpf import library
        lib = ctypes.CDLL(t.LIBRARY)
        with t.load(t.twice, mine=os.getpid()) as obj:
            with obj.attach(pid=os.getpid()):
                lib.twice(7)
            assert dict(obj[t.calls].items()) == {7: 2}, dict(obj[t.calls].items())
        with t.load(t.twice, mine=os.getpid()) as obj:
            attach = ctypes.CDLL(library().path, use_errno=True).bpf_program__attach_usdt
            attach.restype = ctypes.c_void_p
            attach.argtypes = [ctypes.c_void_p, ctypes.c_int, *[ctypes.c_char_p] * 3, ctypes.c_void_p]
            link = attach(obj.programs["twice"].handle, -1, t.LIBRARY.encode(), b"pybpf", b"twice", None)
            assert link, ctypes.get_errno()
            lib.twice(8)
            assert dict(obj[t.calls].items()) == {8: 2}, dict(obj[t.calls].items())
            library().bpf_link__destroy(link)
        print("fine")
    """
    for path in (None, "libbpf.so.1"):
        environment = os.environ | {"PYBPF_TEST_PROBED": LIBRARY} | ({"PYBPF_LIBBPF": path} if path else {})
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert run.stdout == "fine\n", run.stderr
