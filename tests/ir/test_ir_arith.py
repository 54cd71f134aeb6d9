"""The ISA's arithmetic against formulas of another kind, and the corners that RFC 9669 names."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybpf.compiler.ir import arith
from pybpf.compiler.ir.ops import BINARY, NEGATED, PREDICATES, SWAPPED

WORDS = st.one_of(
    st.integers(0, arith.MASK64), st.integers(0, 3), st.sampled_from([1 << 31, (1 << 32) - 1, 1 << 63, arith.MASK64])
)
C = {32: (ctypes.c_uint32, ctypes.c_int32), 64: (ctypes.c_uint64, ctypes.c_int64)}


def in_c(op: str, a: int, b: int, width: int) -> int:
    """What C computes on unsigned or signed ints of this width."""
    unsigned, signed = C[width]
    a, b = unsigned(a).value, unsigned(b).value
    sa, sb = signed(a).value, signed(b).value
    trunc = abs(sa) // abs(sb) * (-1 if (sa < 0) != (sb < 0) else 1) if sb else 0
    found = {
        "add": a + b, "sub": a - b, "mul": a * b, "and": a & b, "or": a | b, "xor": a ^ b,
        "udiv": a // b if b else 0, "umod": a - b * (a // b) if b else a,
        "sdiv": trunc, "smod": sa - sb * trunc if sb else sa,
        "shl": a * 2 ** (b % width), "lshr": a // 2 ** (b % width), "ashr": sa // 2 ** (b % width),
    }  # fmt: skip
    return unsigned(found[op]).value


@given(st.sampled_from(BINARY), WORDS, WORDS, st.sampled_from([32, 64]))
def test_binary(op: str, a: int, b: int, width: int) -> None:
    assert arith.binary(op, a, b, width) == in_c(op, a, b, width)


@pytest.mark.parametrize(
    ("op", "a", "b", "width", "result"),
    [
        ("udiv", 7, 0, 64, 0),
        ("umod", 7, 0, 64, 7),
        ("umod", (5 << 32) + 7, 0, 32, 7),
        ("sdiv", -7, 0, 64, 0),
        ("smod", -7, 0, 64, -7),
        ("sdiv", -13, 3, 64, -4),
        ("smod", -13, 3, 64, -1),
        ("smod", 13, -3, 64, 1),
        ("sdiv", -(1 << 63), -1, 64, -(1 << 63)),
        ("smod", -(1 << 63), -1, 64, 0),
        ("sdiv", 1 << 31, -1, 32, 1 << 31),
        ("shl", 1, 64, 64, 1),
        ("shl", 1, 33, 32, 2),
        ("ashr", 1 << 31, 31, 32, 0xFFFFFFFF),
        ("add", 0xFFFFFFFF, 1, 32, 0),
    ],
)
def test_corners(op: str, a: int, b: int, width: int, result: int) -> None:
    assert arith.binary(op, a & arith.MASK64, b & arith.MASK64, width) == result & arith.MASK64


@given(st.sampled_from(PREDICATES), WORDS, WORDS, st.sampled_from([32, 64]))
def test_compare(pred: str, a: int, b: int, width: int) -> None:
    unsigned, signed = C[width]
    x, y = (
        (signed(a).value, signed(b).value)
        if pred[0] == "s" and pred != "set"
        else (unsigned(a).value, unsigned(b).value)
    )
    holds = {"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y, "set": bool(x & y)}
    assert arith.compare(pred, a, b, width) == holds[pred if pred in holds else pred[1:]]
    assert arith.compare(SWAPPED[pred], b, a, width) == arith.compare(pred, a, b, width)
    if pred in NEGATED:
        assert arith.compare(NEGATED[pred], a, b, width) != arith.compare(pred, a, b, width)


@given(WORDS, st.sampled_from([8, 16, 32]), st.booleans())
def test_extend(value: int, bits: int, is_signed: bool) -> None:
    low = (value & (1 << bits) - 1).to_bytes(8, "little")[: bits // 8]
    expected = int.from_bytes(low, "little", signed=is_signed) & arith.MASK64
    assert arith.extend(value, bits, is_signed) == expected


def test_swap() -> None:
    assert arith.swap(0x0102030405060708, 64) == 0x0807060504030201
    assert arith.swap(0x0102030405060708, 32) == 0x08070605
    assert arith.swap(0x0102030405060708, 16) == 0x0807
