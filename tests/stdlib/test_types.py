"""Widths, sized types, and what annotations stand for."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.types import ArrayType, BytesType, EnumType, IntType, TextType, size_of
from pybpf.stdlib import types

WIDTHS: list[Any] = [getattr(types, name) for name in ("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64")]
BIG: list[Any] = [types.be16, types.be32, types.be64]
Text: Any = types.Text
Bytes: Any = types.Bytes
Array: Any = types.Array
L: Any = types.L


@given(st.sampled_from(WIDTHS + BIG), st.integers(-(1 << 70), 1 << 70))
def test_a_width_wraps_as_c_does(width: Any, value: int) -> None:
    kind: IntType = width.__bpf__
    wrapped = width(value)
    assert kind.min <= wrapped <= kind.max
    assert (wrapped - value) % (1 << kind.bits) == 0
    assert isinstance(wrapped, int)
    assert str(wrapped) == repr(wrapped) == str(int(wrapped))


def test_widths_by_example() -> None:
    assert types.u32(-1) == 0xFFFFFFFF
    assert types.i8(200) == -56
    assert types.u8() == 0
    assert type(types.u8(200) + types.u8(100)) is int
    assert [str(width.__bpf__) for width in WIDTHS + BIG] == [width.__name__ for width in WIDTHS + BIG]


def test_a_width_takes_only_whole_numbers() -> None:
    for wrong in ("12", 1.5, None):
        with pytest.raises((TypeError, AttributeError)):
            types.u32(wrong)


def test_sized_types_are_made_once() -> None:
    assert Text[L[16]] is Text[16] is Text[Literal[16]]
    assert Array[types.u8, L[6]] is Array[types.u8, 6]
    assert Array[types.u8, L[6]] is not Array[types.i8, L[6]]
    assert Text[L[16]].__bpf__ == TextType(16)
    assert Bytes[L[8]].__bpf__ == BytesType(8)
    assert Array[Array[types.u16, L[3]], L[2]].__bpf__ == ArrayType(ArrayType(IntType(16), 3), 2)
    assert size_of(Array[Array[types.u16, L[3]], L[2]].__bpf__) == 12


def test_array_values() -> None:
    kind = Array[types.u8, L[4]]
    assert kind() == [0, 0, 0, 0]
    assert kind(b"\1\2\3\4") == [1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"Array\[u8, 4\] holds 4 elements, not 3"):
        kind([1, 2, 3])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Text["x"], "the size must be a literal number"),
        (lambda: Text[L[0]], "must lie between 1 and"),
        (lambda: Bytes[types.u8], "the size must be a literal number, not u8"),
        (lambda: Array[types.u8], "takes an element type and a length"),
        (lambda: Array[int, L[4]], "int has no width"),
        (lambda: Array[str, L[4]], "str has no size"),
        (lambda: Array[types.u64, L[1 << 28]], "too large"),
    ],
)
def test_wrong_sizes(make: Any, says: str) -> None:
    with pytest.raises(DeclarationTypeError, match=says):
        make()


class Small(IntEnum):
    A = 1
    B = 7


class Negative(IntEnum):
    NO = -1


class Wide(IntEnum):
    HUGE = 1 << 40


def test_enums_are_laid_out_as_in_c() -> None:
    assert types.type_of(Small) == EnumType("Small", IntType(32), (("A", 1), ("B", 7)))
    assert types.type_of(Small) is types.type_of(Small)
    assert types.enum_type(Negative).base == IntType(32, signed=True)
    assert types.enum_type(Wide).base == IntType(64)


OPTIONAL: Any = Optional[types.u8]  # noqa: UP045


def test_annotations_without_a_layout() -> None:
    for annotation, says in (
        (int, "no width"), (str, "Text"), (bytes, "Bytes"), (float, "floating"), (list, "Array"), (object, "object"),
        (Text, r"Text\[L\[16\]\]"), (Array, r"Array\[u8, L\[16\]\]"), (3, "3"), (list[int], "a list has no fixed"),
        (OPTIONAL, "can't be None"),
    ):  # fmt: skip
        assert types.type_of(annotation) is None
        with pytest.raises(AssertionError, match=says):
            raise AssertionError(types.why_not(annotation))


def test_typing_is_not_needed() -> None:
    """L stands in for typing.Literal, which a program that only compiles should not have to import."""
    assert type(L[3]).__module__ == types.__name__
    assert L[3].__args__ == (3,)
    assert sys.modules["typing"].Literal is not L
