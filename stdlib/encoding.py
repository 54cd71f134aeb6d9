"""Values to bytes and back by a type, one value at a time: what a Union does when another member is looked at.

`to_bytes` wraps numbers at their width, as storing to memory does. (Maps and records go through the generated code of
pybpf.runtime.codec, which is faster, and strict.)
"""

from __future__ import annotations

from pybpf.compiler.schema.types import (
    ArrayType,
    BoolType,
    BytesType,
    EnumType,
    IntType,
    StructType,
    TextType,
    size_of,
)
from pybpf.stdlib.types import enum_members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.schema.types import Field, Type

__all__ = ["from_bytes", "to_bytes"]


def to_bytes(kind: Type, value: Any) -> bytes:
    """The bytes of a value in memory, as many as `size_of(kind)`."""
    size = size_of(kind)
    if isinstance(kind, (TextType, BytesType)):
        raw = value.encode("utf-8", "surrogateescape") if isinstance(kind, TextType) else bytes(value)
        if len(raw) > size:
            raise ValueError(f"{value!r} takes {len(raw)} bytes, {kind} holds {size}")
        return raw.ljust(size, b"\0")
    if isinstance(kind, ArrayType):
        return b"".join([to_bytes(kind.element, item) for item in value])
    if isinstance(kind, StructType):
        if kind.union:
            packed: bytes = value.__bpf_pack__()
            return packed
        made = bytearray(size)
        for field in kind.fields:
            _put(made, field, getattr(value, field.name))
        return bytes(made)
    number = int(bool(value)) if isinstance(kind, BoolType) else int(value)
    order = "big" if isinstance(kind, IntType) and kind.big else "little"
    return (number & (1 << 8 * size) - 1).to_bytes(size, order)  # type: ignore[arg-type]


def _put(made: bytearray, field: Field, value: Any) -> None:
    if not field.bits:
        made[field.offset : field.offset + size_of(field.type)] = to_bytes(field.type, value)
        return
    end = field.offset + (field.bit_offset + field.bits + 7) // 8
    mask = (1 << field.bits) - 1
    here = int.from_bytes(made[field.offset : end], "little") & ~(mask << field.bit_offset)
    made[field.offset : end] = (here | (int(value) & mask) << field.bit_offset).to_bytes(end - field.offset, "little")


def from_bytes(kind: Type, raw: bytes) -> Any:
    """The value that lies in memory as `raw`."""
    if isinstance(kind, TextType):
        return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    if isinstance(kind, BytesType):
        return raw
    if isinstance(kind, ArrayType):
        step = size_of(kind.element)
        return [from_bytes(kind.element, raw[i : i + step]) for i in range(0, len(raw), step)]
    if isinstance(kind, StructType):
        if kind.union:
            return kind.owner.__bpf_unpack__(raw)
        made = object.__new__(kind.owner)
        for field in kind.fields:
            setattr(made, field.name, _take(field, raw))
        return made
    order = "big" if isinstance(kind, IntType) and kind.big else "little"
    return _number(kind, int.from_bytes(raw, order), 8 * len(raw))  # type: ignore[arg-type]


def _take(field: Field, raw: bytes) -> Any:
    if not field.bits:
        return from_bytes(field.type, raw[field.offset : field.offset + size_of(field.type)])
    end = field.offset + (field.bit_offset + field.bits + 7) // 8
    value = int.from_bytes(raw[field.offset : end], "little") >> field.bit_offset & (1 << field.bits) - 1
    return _number(field.type, value, field.bits)


def _number(kind: Type, value: int, bits: int) -> Any:
    """The `bits` low bits as a number of the type."""
    if isinstance(kind, BoolType):
        return value != 0
    base = kind.base if isinstance(kind, EnumType) else kind
    if isinstance(base, IntType) and base.signed and value >> bits - 1:
        value -= 1 << bits
    return enum_members(kind).get(value, value) if isinstance(kind, EnumType) else value
