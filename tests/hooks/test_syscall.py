"""Programs that user space calls with a Struct."""

from __future__ import annotations

from typing import Any

import pytest

from pybpf import (
    Array,
    CompileError,
    HashMap,
    L,
    Struct,
    Target,
    Text,
    be16,
    build,
    i32,
    load,
    sizeof,
    syscall,
    u8,
    u32,
    u64,
)
from pybpf.helpers import bpf_copy_from_user
from pybpf.runtime.errors import RunError
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]


class Point(Struct):
    x: i32
    y: i32


class Args(Struct):
    a: u32
    total: u64
    port: be16
    ok: bool
    point: Point
    history: Array[u8, L[8]]
    name: Text[L[16]]


calls = HashMap[u32, u64](max_entries=4)


@syscall
def work(ctx: Args) -> int:
    ctx.total += ctx.a * 2
    ctx.port += 1
    ctx.ok = not ctx.ok
    ctx.point.x = ctx.point.y - 3
    ctx.history[2] = ctx.history[1] + 1
    if ctx.name == "before":
        ctx.name = "after"
    calls[ctx.a] += 1
    return -7


@syscall
def alone() -> None:
    calls[1] += 1


class Copied(Struct):
    address: u64
    text: Text[L[8]]


@syscall
def copied(ctx: Copied) -> int:
    text: Text[L[8]] = ""
    answer = bpf_copy_from_user(text, 8, ctx.address)
    ctx.text = text
    return i32(answer)


def test_run() -> None:
    with load(work) as obj:
        prove("hook", "syscall", "loaded")
        history: Any = [1, 2, 3, 4, 5, 6, 7, 8]
        given = Args(a=21, total=1 << 40, port=8080, ok=False, point=Point(x=0, y=-4), history=history,
                     name="before")  # fmt: skip
        answer, left = obj.programs["work"].run(given)
        assert answer == -7
        assert (left.a, left.total, left.port, left.ok) == (21, (1 << 40) + 42, 8081, True)
        assert (left.point.x, left.point.y) == (-7, -4)
        assert list(left.history) == [1, 2, 3, 4, 5, 6, 7, 8]
        assert left.name == "after"
        assert obj[calls][21] == 1
        assert obj.attach().links == ()
        prove("hook", "syscall", "attached")
        prove("hook", "syscall", "fired")
        with pytest.raises(TypeError, match="'work' takes Args"):
            obj.programs["work"].run(Point(x=1, y=2))
        assert obj.programs["work"].test(context=bytes(sizeof(Args))).retval == -7
        with pytest.raises(RunError, match="EINVAL"):
            obj.programs["work"].test(context=bytes(8))


def test_without_context() -> None:
    with load(alone) as obj:
        assert obj.programs["alone"].run() == (0, None)
        assert obj[calls][1] == 1


def test_it_may_sleep() -> None:
    import ctypes

    text = ctypes.create_string_buffer(b"hello")
    padded = (ctypes.c_char * 8).from_buffer_copy(text.raw.ljust(8, b"\0"))
    with load(copied) as obj:
        answer, left = obj.programs["copied"].run(Copied(address=ctypes.addressof(padded), text=""))
        assert (answer, left.text) == (0, "hello")


def errors(program: Any) -> str:
    with pytest.raises(CompileError) as caught:
        build(program)
    return str(caught.value)


def test_mistakes() -> None:
    @syscall  # type: ignore[type-var]
    def no_struct(ctx: int) -> int:
        return ctx

    @syscall
    def by_variable(ctx: Args) -> int:
        return ctx.history[ctx.a & 7]

    @syscall
    def lent(ctx: Copied) -> int:
        return i32(bpf_copy_from_user(ctx.text, 8, ctx.address))

    @syscall  # type: ignore[type-var]
    def answer(ctx: Args) -> str:
        return ""

    with pytest.raises(CompileError, match=r"needs Linux 5\.14"):
        build(work, target=Target(kernel=(5, 10)))
    assert "must take `ctx: Args`" in errors(no_struct)
    assert "E" in errors(by_variable)
    assert "part of the context" in errors(lent)
    assert "must be annotated to return int or None" in errors(answer)


def test_simulated() -> None:
    done = work.simulate(a=3, total=5)
    assert done.retval == -7
