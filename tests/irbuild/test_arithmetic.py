"""Numbers mean what Python says, in 64 bits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.frontend import tree
from pybpf.compiler.schema import types
from pybpf.compiler.schema.types import I8, I64, U8, U16, U32, U64, IntType
from tests.irbuild import trees as t

SIGNED = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-20, 20))
UNSIGNED = st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0, 20))


def python(sign: str, x: int, y: int) -> int:
    if sign in ("//", "%") and y == 0:
        return 0 if sign == "//" else x
    if sign in ("<<", ">>"):
        y &= 63
    return int(eval(f"x {sign} y", {"x": x, "y": y}))


def wrapped(value: int, kind: IntType) -> int:
    value &= (1 << kind.bits) - 1
    return value - (1 << kind.bits) if kind.signed and value >> kind.bits - 1 else value


def both(sign: str, kind: IntType, x: int, y: int) -> None:
    a, c = tree.Var("a", kind), tree.Var("b", kind)
    expected = wrapped(python(sign, x, y), I64)
    assert t.run(t.ret(t.op(t.local(a), sign, t.local(c))), args=(a, c), given=(x, y)) == expected
    assert t.run(t.ret(t.op(t.local(a), sign, t.num(y, kind))), args=(a,), given=(x,)) == expected
    assert t.run(t.ret(t.op(t.num(x, kind), sign, t.num(y, kind)))) == expected


@given(st.sampled_from(["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>"]), SIGNED, SIGNED)
@settings(max_examples=300, deadline=None)
def test_signed(sign: str, x: int, y: int) -> None:
    both(sign, I64, x, y)


@given(st.sampled_from(["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>"]), UNSIGNED, UNSIGNED)
@settings(max_examples=150, deadline=None)
def test_unsigned(sign: str, x: int, y: int) -> None:
    both(sign, U64, x, y)


@pytest.mark.parametrize("x", [-(1 << 63), -9, -8, -1, 0, 1, 7, 8, 9, (1 << 63) - 1])
@pytest.mark.parametrize("y", [-(1 << 63), -7, -2, -1, 0, 1, 2, 3, 7, 8, 1 << 62])
def test_floor_at_the_edges(x: int, y: int) -> None:
    both("//", I64, x, y)
    both("%", I64, x, y)


@given(st.sampled_from([IntType(b, s) for b in (8, 16, 32, 64) for s in (False, True)]), SIGNED)
@settings(max_examples=100, deadline=None)
def test_convert_wraps(kind: IntType, x: int) -> None:
    a = tree.Var("a", I64)
    assert t.run(t.ret(t.conv(t.conv(t.local(a), kind), I64)), args=(a,), given=(x,)) == wrapped(wrapped(x, kind), I64)


def test_widening_takes_no_operation() -> None:
    a = tree.Var("a", U8)
    module = t.lowered(t.ret(t.conv(t.conv(t.local(a), U16), U64)), args=(a,))
    assert [type(o).__name__ for o in module.functions[0].ops()] == ["Load", "Extend", "Return"]


def test_arguments_are_extended_as_their_type_says() -> None:
    a, c = tree.Var("a", I8), tree.Var("b", U32)
    body = t.ret(t.op(t.conv(t.local(a), I64), "*", t.conv(t.local(c), I64)))
    assert t.run(body, args=(a, c), given=(0x1FF, (7 << 32) + 5)) == -5


def test_negation_and_complement() -> None:
    a = tree.Var("a", I64)
    for sign, expected in (("-", -41), ("~", -42)):
        assert t.run(t.ret(tree.Unary(I64, t.SPAN, sign, t.local(a))), args=(a,), given=(41,)) == expected


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_network_order(bits: int) -> None:
    """Comparing a field with a constant swaps the constant and not the field."""
    header = types.layout("Header", [("x", IntType(bits, big=True)), ("y", IntType(bits, big=True))])
    h = tree.Var("h", t.ref(header))
    first = 0x0102_0304_0506_0708 >> 64 - bits
    body = [
        t.let(h, t.new(header, x=t.num(first), y=t.num(5))),
        tree.Store(t.SPAN, t.field(t.local(h), "y"), t.field(t.local(h), "x")),
        tree.If(t.SPAN, t.cmp(t.conv(t.field(t.local(h), "y"), U64), "==", t.num(first)), [
            t.ret(t.conv(t.field(t.local(h), "y"), I64))
        ]),
        t.ret(t.num(-1, I64)),
    ]  # fmt: skip
    module = t.lowered(*body)
    assert t.World(module).run() == first
    branch = next(o for o in module.functions[0].ops() if type(o).__name__ == "Branch")
    assert [type(v).__name__ for v in branch.args()] == ["Load", "Const"]
