"""Unions and bit fields in plain Python: declarations, members that share bytes, bytes for user space and back."""

from __future__ import annotations

import copy
from enum import IntEnum
from typing import Any

import pytest

from pybpf import (
    Array,
    Bits,
    Bytes,
    DeclarationError,
    L,
    Struct,
    Text,
    Union,
    be16,
    be32,
    i8,
    offsetof,
    sizeof,
    u8,
    u16,
    u32,
    u64,
)
from pybpf.runtime.codec import codec

BITS: Any = Bits
ARRAY: Any = Array
TEXT: Any = Text


class Kind(IntEnum):
    TCP = 6
    UDP = 17


class Pair(Struct):
    x: u32
    y: be32


class Address(Union):
    v4: be32
    v6: Bytes[L[16]]
    pair: Pair
    words: Array[be16, L[8]]
    small: i8


class Holder(Struct):
    id: u16
    address: Address
    kind: Kind
    low: Bits[u8, L[3]]
    high: Bits[u8, L[5]] = 9
    sign: Bits[i8, L[4]] = -1
    of: Bits[Kind, L[8]] = Kind.TCP
    flag: Bits[bool, L[1]] = False


def made(**fields: Any) -> Holder:
    return Holder(**{"id": 7, "address": Address(v4=0x0A000001), "kind": Kind.UDP, "low": 5, **fields})


def test_members_share_their_bytes() -> None:
    address = Address(v4=0x0A000001)
    assert address.v6 == b"\n\0\0\1" + bytes(12)
    assert address.words[0] == 0x0A00
    address.pair.y = 0x01020304
    assert address.v6[:8] == b"\n\0\0\1\1\2\3\4"
    address.small = -1
    assert (address.v4, address.words[3]) == (0xFF000001, 0x0304)
    assert Address() == Address(v6=bytes(16)) != address
    twin = copy.copy(address)
    twin.v4 = 1
    assert address.v4 == 0xFF000001 and hash(Address(v4=1)) == hash(Address(v6=b"\0\0\0\1" + bytes(12)))
    assert repr(Address(v4=5)) == "Address(v4=5)"
    assert (sizeof(Address), offsetof(Holder, "address"), offsetof(Holder, "address.pair.y")) == (16, 4, 8)


def test_to_user_space_and_back() -> None:
    coder = codec(Holder.__bpf__, "value")
    holder = made()
    back = coder.decode(coder.encode(holder), 0)
    assert back == holder and back.address.v6[:4] == b"\n\0\0\1"
    assert back.kind is Kind.UDP and back.of is Kind.TCP and back.flag is False and (back.low, back.high) == (5, 9)
    assert back.sign == -1
    number = coder.decode(coder.encode(made(kind=99)), 0)
    assert number.kind == 99 and not isinstance(number.kind, Kind)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"low": 8}, "value.low: 8 is outside bit field of 3"),
        ({"sign": -9}, "value.sign: -9 is outside bit field of 4"),
        ({"address": Address(v4=1 << 32)}, "value.address.v4: 4294967296 is outside be32"),
        ({"address": Address(v6=b"short")}, "value.address.v6: 5 bytes given"),
        ({"address": 5}, "value.address: expected a dict with one member, not int 5"),
    ],
)
def test_what_does_not_fit(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((OverflowError, TypeError, ValueError)) as caught:
        codec(Holder.__bpf__, "value").encode(made(**fields))
    assert str(caught.value).startswith(message)


def test_too_many_members() -> None:
    with pytest.raises(TypeError, match="takes one member, not 2"):
        Address(v4=1, small=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'v5'"):
        Address(v5=1)


def _declare(kind: Any, base: Any = Struct) -> Any:
    return type(base)("Made", (base,), {"__annotations__": {"f": kind}, "__module__": __name__, "__qualname__": "Made"})


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: BITS[u32], "Bits takes a type and a width"),
        (lambda: BITS[u32, 33], r"Bits\[u32, 33\]: u32 has 32 bits"),
        (lambda: BITS[bool, 2], r"bool has 1 bit"),
        (lambda: BITS[be32, 2], "a bit field is a part of u8 to u64"),
        (lambda: BITS[u32, 0], "the size must lie between 1"),
        (
            lambda: ARRAY[BITS[u32, 3], 4],
            "a bit field can only be a field of a Struct",
        ),
        (lambda: _declare(TEXT[4], Union).__bpf__, r"Made.f: a Text\[4\] in a union"),
        (lambda: _declare(bool, Union).__bpf__, "Made.f: a bool in a union"),
        (lambda: _declare(BITS[u32, 3], Union).__bpf__, "Made.f: a bit field in a union"),
    ],
)
def test_faulty_declarations(declare: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        declare()


def test_no_offset_of_bits() -> None:
    with pytest.raises(AttributeError, match="'low' is a bit field"):
        offsetof(Holder, "low")
    with pytest.raises(AttributeError, match="has no field 'nothing'"):
        offsetof(Holder, "nothing")
    assert u64(offsetof(Holder, "kind")) == 20
