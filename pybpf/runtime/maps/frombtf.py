"""Types of BTF as types of the language: how keys and values of a map look that somebody else declared.

`char[]` is a text, `__be16` to `__be64` are numbers in network order, enumerations give members of an IntEnum, pointers
are numbers. What has no such type (floating point, bit fields across their unit) is bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.schema.types import (
    BOOL,
    U64,
    ArrayType,
    BytesType,
    EnumType,
    Field,
    IntType,
    StructType,
    TextType,
    Type,
    align_of,
    size_of,
)

if TYPE_CHECKING:
    from pybpf.compiler.btf.decode import Btf

__all__ = ["FromBtf"]

_SAME = (t.Typedef, t.Volatile, t.Const, t.Restrict, t.TypeTag)
_BIG = {"__be16": 16, "__be32": 32, "__be64": 64}


class FromBtf:
    """The types of one section."""

    def __init__(self, data: bytes) -> None:
        self._btf: Btf = decode_btf(data)
        self._known: dict[int, Type] = {}

    def type(self, number: int, size: int) -> Type:
        """The type of a key or value of `size` bytes; bytes where BTF says nothing (number 0) or something else."""
        found = self._type(number) if number else None
        return found if found is not None and size_of(found) == size else BytesType(size)

    def _type(self, number: int) -> Type | None:
        if number not in self._known:
            made = self._made(number)
            if made is None:
                return None
            self._known[number] = made
        return self._known[number]

    def _made(self, number: int) -> Type | None:
        item = self._btf[number]
        if isinstance(item, t.Typedef) and item.name in _BIG:
            return IntType(_BIG[item.name], False, True)
        if isinstance(item, _SAME):
            return self._type(item.type)
        if isinstance(item, t.Int):
            if item.encoding & t.INT_BOOL:
                return BOOL
            return IntType(item.size * 8, bool(item.encoding & t.INT_SIGNED)) if item.size in (1, 2, 4, 8) else None
        if isinstance(item, t.Ptr):
            return U64
        if isinstance(item, (t.Enum, t.Enum64)):
            return _enum(item)
        if isinstance(item, t.Array):
            return self._array(item)
        if isinstance(item, (t.Struct, t.Union)):
            return self._struct(item)
        return None

    def _array(self, item: t.Array) -> Type | None:
        element = item.element
        while isinstance(self._btf[element], _SAME):
            element = self._btf[element].type  # type: ignore[attr-defined]
        plain = self._btf[element]
        if isinstance(plain, t.Int) and plain.name == "char":
            return TextType(item.length)
        if isinstance(plain, t.Int) and plain.name == "unsigned char":
            return BytesType(item.length)
        inner = self._type(item.element)
        return ArrayType(inner, item.length) if inner is not None else None

    def _struct(self, item: t.Struct | t.Union) -> Type | None:
        if item.name == "bpf_spin_lock":
            from pybpf.stdlib.sync import SpinLock

            return SpinLock.__bpf__  # type: ignore[attr-defined,no-any-return]
        if item.name == "bpf_timer":
            from pybpf.stdlib.sync import Timer

            return Timer.__bpf__  # type: ignore[attr-defined,no-any-return]
        fields: list[Field] = []
        align = 1
        for member in item.members:
            kind = self._type(member.type)
            if kind is None:
                return None
            align = max(align, align_of(kind))
            if not member.name:  # an anonymous struct's members are its own
                inner = kind.fields if isinstance(kind, StructType) else ()
                fields += [Field(f.name, f.type, f.offset + member.offset // 8, f.bits, f.bit_offset) for f in inner]
                continue
            bits = member.bits
            if not bits and member.offset % 8:
                return None
            fields.append(Field(member.name, kind, member.offset // 8, bits, member.offset % 8 if bits else 0))
        union = isinstance(item, t.Union)
        return StructType(item.name or "anonymous", tuple(fields), item.size, align, union)


def _enum(item: t.Enum | t.Enum64) -> Type | None:
    from enum import IntEnum

    from pybpf.stdlib.types import adopt_enum

    made = EnumType(item.name or "anonymous", IntType(item.size * 8, item.signed), item.values)
    adopt_enum(IntEnum(item.name or "anonymous", list(item.values)), made)
    return made
