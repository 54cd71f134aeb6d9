"""Values to bytes and back: exact layouts, and errors that name the place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybpf.compiler.schema.types import (
    BOOL,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    BytesType,
    EnumType,
    Field,
    IntType,
    PtrType,
    StructType,
    TextType,
    Type,
    layout,
    size_of,
)
from pybpf.runtime.codec import codec
from pybpf.runtime.structs import class_for
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import Array, L, Text, be32, u8, u32, u64

BE16, BE32 = IntType(16, big=True), IntType(32, big=True)
COLOUR = EnumType("Colour", U32, (("RED", 0), ("BLUE", 7)))
WHAT = "value of map 'm'"


class Inner(Struct):
    tag: u8
    addr: be32


class Outer(Struct):
    pid: u32
    inner: Inner
    total: u64
    comm: Text[L[16]]
    mac: Array[u8, L[6]]
    pair: Array[Inner, L[2]]


def outer() -> Outer:
    inners = [Inner(tag=1, addr=0x01020304), Inner(tag=2, addr=5)]
    mac = Array[u8, L[6]]([1, 2, 3, 4, 5, 6])
    return Outer(pid=9, inner=Inner(tag=255, addr=0x7F000001), total=1 << 63, comm="naïve", mac=mac, pair=inners)


@pytest.mark.parametrize(
    ("kind", "value", "raw"),
    [
        (U8, 255, "ff"),
        (I8, -1, "ff"),
        (U16, 0x1234, "3412"),
        (BE16, 0x1234, "1234"),
        (I32, -2, "feffffff"),
        (U64, (1 << 64) - 1, "ff" * 8),
        (BE32, 0x7F000001, "7f000001"),
        (BOOL, True, "01"),
        (COLOUR, 7, "07000000"),
        (PtrType(None, "kernel"), 1 << 63, "0000000000000080"),
        (TextType(4), "ab", "61620000"),
        (TextType(4), "abcd", "61626364"),
        (TextType(2), "\udcff", "ff00"),
        (BytesType(3), b"\0\1\2", "000102"),
        (ArrayType(U16, 2), [1, 2], "01000200"),
        (ArrayType(BE16, 2), [1, 2], "00010002"),
        (ArrayType(ArrayType(U8, 2), 2), [[1, 2], [3, 4]], "01020304"),
    ],
)
def test_layouts(kind: Type, value: Any, raw: str) -> None:
    made = codec(kind, WHAT)
    assert made.encode(value).hex() == raw
    assert made.decode(bytes.fromhex(raw), 0) == value
    assert made.decode(b"xx" + bytes.fromhex(raw), 2) == value


def test_struct_comes_back_as_its_class() -> None:
    kind = Outer.__bpf__
    made = codec(kind, WHAT)
    raw = made.encode(outer())
    assert len(raw) == size_of(kind)
    assert raw[:24] == bytes.fromhex("09000000ff0000007f000001000000000000000000000080")  # padding is zero
    back = made.decode(raw, 0)
    assert type(back) is Outer and type(back.inner) is Inner
    assert back == outer()


def test_decode_many() -> None:
    assert codec(U32, WHAT).decode_many(bytes(range(8)), 2, 4) == [0x03020100, 0x07060504]
    assert codec(BE16, WHAT).decode_many(b"\0\1\0\2", 2, 2) == [1, 2]
    assert codec(U8, WHAT).decode_many(b"\1xxx\2xxx", 2, 4) == [1, 2]


def test_text_ends_at_nul_and_keeps_odd_bytes() -> None:
    made = codec(TextType(8), WHAT)
    assert made.decode(b"ab\0cdefg", 0) == "ab"
    assert made.encode(made.decode(b"a\xff\xfeb\0\0\0\0", 0)) == b"a\xff\xfeb\0\0\0\0"


def test_bit_fields_and_unions() -> None:
    fields = (Field("low", U8, 0, 3, 0), Field("high", I8, 0, 5, 3), Field("wide", U16, 0, 12, 8), Field("last", U8, 3))
    kind = StructType("Bits", fields, 4, 1)
    made = codec(kind, WHAT)
    value = {"low": 5, "high": -3, "wide": 0xABC, "last": 1}
    raw = made.encode(value)
    assert int.from_bytes(raw, "little") == 5 | (-3 & 31) << 3 | 0xABC << 8 | 1 << 24
    assert vars(made.decode(raw, 0)) == value
    with pytest.raises(OverflowError, match=r"m'\.high: 16 is outside"):
        made.encode({**value, "high": 16})
    union = StructType("U", (Field("word", U32, 0), Field("bytes", BytesType(4), 0)), 4, 4, True)
    pair = codec(layout("Pair", [("tag", U32), ("u", union)]), WHAT)
    raw = pair.encode({"tag": 1, "u": {"word": 0x01020304}})
    assert pair.decode(raw, 0).u.bytes == b"\4\3\2\1"
    with pytest.raises(ValueError, match="exactly one member"):
        pair.encode({"tag": 1, "u": {"word": 1, "bytes": b"1234"}})


@pytest.mark.parametrize(
    ("kind", "value", "error", "text"),
    [
        (U32, 1 << 32, OverflowError, "value of map 'm': 4294967296 is outside u32 (0 to 4294967295)"),
        (U32, -1, OverflowError, "value of map 'm': -1 is outside u32"),
        (I16, 40000, OverflowError, "outside i16 (-32768 to 32767)"),
        (BE16, 65536, OverflowError, "outside be16"),
        (U32, 1.5, TypeError, "value of map 'm': expected an int (u32), not float 1.5"),
        (U32, "1", TypeError, "expected an int (u32), not str '1'"),
        (U32, None, TypeError, "not NoneType None"),
        (BOOL, 2, TypeError, "expected a bool, not int 2"),
        (COLOUR, "RED", TypeError, "expected an int (enum Colour)"),
        (TextType(4), "abcde", ValueError, "takes 5 bytes, Text[4] holds 4"),
        (TextType(4), "ää€", ValueError, "takes 7 bytes"),
        (TextType(4), "a\0b", ValueError, "NUL"),
        (TextType(4), b"abc", TypeError, "expected a str (Text[4]), not bytes"),
        (BytesType(4), b"abc", ValueError, "3 bytes given, Bytes[4] holds exactly 4"),
        (BytesType(4), "abcd", TypeError, "expected bytes"),
        (ArrayType(U8, 2), [1], ValueError, "1 elements given"),
        (ArrayType(U8, 2), [1, 256], OverflowError, "value of map 'm'[1]: 256 is outside u8"),
        (ArrayType(U8, 2), 5, TypeError, "expected a list of 2"),
        (ArrayType(U8, 2), "ab", TypeError, "expected a list of 2"),
        (Inner.__bpf__, 5, TypeError, "value of map 'm': expected a Inner, not int 5"),
        (Inner.__bpf__, {"tag": 1, "addr": -1}, OverflowError, "value of map 'm'.addr: -1 is outside be32"),
        (Inner.__bpf__, {"tag": 1, "adr": 1}, TypeError, "has no field 'adr'; it has tag, addr"),
        (Inner.__bpf__, {"tag": 1}, TypeError, "addr"),
        (Outer.__bpf__, Inner(tag=1, addr=1), TypeError, "expected a Outer"),
    ],
)
def test_misfits(kind: Type, value: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        codec(kind, WHAT).encode(value)
    assert text in str(caught.value)


def test_misfit_deep_inside() -> None:
    value = outer()
    value.pair[1].addr = 1 << 40
    with pytest.raises(OverflowError, match=r"value of map 'm'\.pair\[1\]\.addr: 1099511627776 is outside be32"):
        codec(Outer.__bpf__, WHAT).encode(value)


def test_struct_without_a_class() -> None:
    kind = layout("Plain", [("a", U32), ("b", TextType(4)), ("c", ArrayType(BOOL, 2))])
    plain = class_for(kind)
    assert class_for(kind) is plain
    assert vars(plain()) == {"a": 0, "b": "", "c": [False, False]}
    made = codec(kind, WHAT)
    value = plain(a=1, b="x")
    assert made.decode(made.encode(value), 0) == value
    assert repr(value) == "Plain(a=1, b='x', c=[False, False])"
    assert len({value, plain(a=1, b="x")}) == 1
    with pytest.raises(TypeError, match="no field 'z'"):
        plain(z=1)


INTS = [U8, U16, U32, U64, I8, I16, I32, I64, BE16, BE32, IntType(64, big=True)]


@st.composite
def typed(draw: Any, depth: int = 2) -> tuple[Type, Any]:
    """A random type and a value of it."""
    choice = draw(st.integers(0, 5 if depth else 3))
    if choice == 0:
        kind = draw(st.sampled_from(INTS))
        return kind, draw(st.integers(kind.min, kind.max))
    if choice == 1:
        return BOOL, draw(st.booleans())
    if choice == 2:
        size = draw(st.integers(1, 9))
        text = draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=size))
        while len(text.encode()) > size:
            text = text[:-1]
        return TextType(size), text
    if choice == 3:
        raw = draw(st.binary(min_size=1, max_size=9))
        return BytesType(len(raw)), raw
    if choice == 4:
        kind, value = draw(typed(depth - 1))
        count = draw(st.integers(1, 3))
        return ArrayType(kind, count), [value] * count
    members = draw(st.lists(typed(depth - 1), min_size=1, max_size=4))
    kind = layout("S", [(f"f{i}", member) for i, (member, _) in enumerate(members)], packed=draw(st.booleans()))
    return kind, class_for(kind)(**{f"f{i}": value for i, (_, value) in enumerate(members)})


@given(typed())
def test_round_trip(pair: tuple[Type, Any]) -> None:
    kind, value = pair
    made = codec(kind, WHAT)
    raw = made.encode(value)
    assert len(raw) == size_of(kind)
    assert made.decode(raw, 0) == value
