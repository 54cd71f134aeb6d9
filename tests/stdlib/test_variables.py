"""const() and var(): their bytes, their names, and that they don't pass for numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from pybpf import Array, Bytes, L, Struct, Text, be16, const, i16, u8, u32, u64, var
from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError


class Pair(Struct):
    a: u8
    b: be16
    c: u64


class Mode(IntEnum):
    OFF = 0
    ON = 1


C: Any = const
V: Any = var

number = C(u32, 7)
negative = V(i16, -2)
flag = C(bool, True)
mode = C(Mode, Mode.ON)
text = C(Text[L[6]], "häh")
raw = C(Bytes[L[2]], b"\1\2")
array = V(Array[be16, L[2]], [1, 2])
pair = V(Pair, Pair(a=1, b=2, c=3))
zero = V(u64, 0)
named = V(u64, 1, name="elsewhere")


@pytest.mark.parametrize(
    ("declared", "name", "constant", "init"),
    [
        (number, "number", True, b"\7\0\0\0"),
        (negative, "negative", False, b"\xfe\xff"),
        (flag, "flag", True, b"\1"),
        (mode, "mode", True, b"\1\0\0\0"),
        (text, "text", True, b"h\xc3\xa4h\0\0"),
        (raw, "raw", True, b"\1\2"),
        (array, "array", False, b"\0\1\0\2"),
        (pair, "pair", False, b"\1\0\0\2\0\0\0\0\3\0\0\0\0\0\0\0"),
        (zero, "zero", False, bytes(8)),
        (named, "elsewhere", False, b"\1" + bytes(7)),
    ],
)
def test_specs(declared: Any, name: str, constant: bool, init: bytes) -> None:
    spec = declared.__bpf__
    assert (spec.name, spec.constant, spec.init) == (name, constant, init)
    assert declared.__bpf__ is spec


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: C(u8, 256), r"const\(\): 256 does not fit u8, which holds 0 to 255"),
        (lambda: V(i16, 40_000), r"var\(\): 40000 does not fit i16"),
        (lambda: C(u32, "x"), "'x' is not an int, as u32 needs"),
        (lambda: C(int, 1), "int has no width"),
        (lambda: C(Text[L[2]], "abc"), r"3 bytes do not fit Text\[2\]"),
        (lambda: C(Bytes[L[2]], b"a"), r"1 bytes do not fit Bytes\[2\]"),
        (lambda: C(Array[u8, L[2]], [1]), r"1 elements do not fit Array\[u8, 2\]"),
        (lambda: C(Pair, Pair(a=300, b=0, c=0)), r"const\(\)\.a: 300 does not fit u8"),
        (lambda: C(Pair, 3), "3 is not a Pair"),
        (lambda: V(u8, 1).__bpf__, "this global has no name"),
    ],
)
def test_mistakes(make: Any, says: str) -> None:
    with pytest.raises((DeclarationTypeError, DeclarationValueError), match=says):
        make()


def test_a_declaration_is_no_number() -> None:
    uses: list[Any] = [
        lambda: bool(number), lambda: int(number), lambda: number + 1, lambda: 1 - number, lambda: number < 3,
        lambda: list(array), lambda: range(number), lambda: number & 1,
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(RuntimeError, match="is a declaration: read it from a loaded object"):
            use()
    assert {number: 1}[number] == 1
    assert repr(number) == "<const u32 = 7>"


def test_without_a_default_all_is_zero() -> None:
    declared: list[Any] = [V(u32, name="a"), C(bool, name="b"), V(Pair, name="c"), V(Array[u8, L[3]], name="d")]
    assert [bytes(each.__bpf__.init).strip(b"\0") for each in declared] == [b""] * 4
    assert repr(declared[0]) == "<var u32 = 0>"
