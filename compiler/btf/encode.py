"""BTF types -> the bytes of a `.BTF` section.

A type is 12 bytes, and what its kind adds:

    0       4                        8            12
    +-------+------------------------+------------+
    | name  | kflag kind vlen        | size, type |   info: vlen in bits 0-15, kind in 24-28, kflag in 31
    +-------+------------------------+------------+
"""

from __future__ import annotations

from _struct import Struct as Layout

from pybpf.compiler.btf import types as t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pybpf.compiler.btf.strings import StringTable

__all__ = ["HEADER", "MAGIC", "btf_section", "encode_types"]

MAGIC = 0xEB9F
HEADER = Layout("<HBBIIIII")  # magic, version, flags, header length, types offset and length, strings likewise

_COMMON = Layout("<III").pack
_WORD = Layout("<I").pack
_PAIR = Layout("<II").pack
_TRIPLE = Layout("<III").pack
_MAX_VLEN = 0xFFFF


def btf_section(types: bytes, strings: StringTable) -> bytes:
    """A whole `.BTF` section of encoded types and the strings that they (and `.BTF.ext`) refer to."""
    text = strings.data()
    return HEADER.pack(MAGIC, 1, 0, HEADER.size, 0, len(types), len(types), len(text)) + types + text


def encode_types(types: Sequence[t.BtfType], strings: StringTable) -> bytes:
    """All types but the first, which is VOID and has no bytes. Names go to `strings`."""
    return b"".join([_ENCODERS[type(item)](item, strings) for item in types[1:]])


def _head(name: int, kind: int, vlen: int, rest: int, flag: bool = False) -> bytes:
    assert vlen <= _MAX_VLEN, f"a BTF type can't have {vlen} parts"
    return _COMMON(name, flag << 31 | kind << 24 | vlen, rest)


def _int(item: t.Int, strings: StringTable) -> bytes:
    return _head(strings.add(item.name), 1, 0, item.size) + _WORD(item.encoding << 24 | item.offset << 16 | item.bits)


def _reference(item: t.Ptr | t.Volatile | t.Const | t.Restrict, _: StringTable) -> bytes:
    return _head(0, item.kind, 0, item.type)


def _array(item: t.Array, _: StringTable) -> bytes:
    return _head(0, 3, 0, 0) + _TRIPLE(item.element, item.index, item.length)


def _struct(item: t.Struct | t.Union, strings: StringTable) -> bytes:
    parts = [b""]
    bitfields = any(member.bits for member in item.members)
    name = strings.add(item.name)
    for member in item.members:
        offset = member.bits << 24 | member.offset if bitfields else member.offset
        parts.append(_TRIPLE(strings.add(member.name), member.type, offset))
    parts[0] = _head(name, item.kind, len(item.members), item.size, bitfields)
    return b"".join(parts)


def _enum(item: t.Enum, strings: StringTable) -> bytes:
    head = _head(strings.add(item.name), 6, len(item.values), item.size, item.signed)
    return head + b"".join([_PAIR(strings.add(name), value & 0xFFFFFFFF) for name, value in item.values])


def _enum64(item: t.Enum64, strings: StringTable) -> bytes:
    head = _head(strings.add(item.name), 19, len(item.values), item.size, item.signed)
    return head + b"".join(
        [_TRIPLE(strings.add(name), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF) for name, value in item.values]
    )


def _fwd(item: t.Fwd, strings: StringTable) -> bytes:
    return _head(strings.add(item.name), 7, 0, 0, item.union)


def _typedef(item: t.Typedef, strings: StringTable) -> bytes:
    return _head(strings.add(item.name), 8, 0, item.type)


def _func(item: t.Func, strings: StringTable) -> bytes:
    return _head(strings.add(item.name), 12, item.linkage, item.type)  # the linkage stands where others have vlen


def _func_proto(item: t.FuncProto, strings: StringTable) -> bytes:
    head = _head(0, 13, len(item.params), item.result)
    return head + b"".join([_PAIR(strings.add(param.name), param.type) for param in item.params])


def _var(item: t.Var, strings: StringTable) -> bytes:
    return _head(strings.add(item.name), 14, 0, item.type) + _WORD(item.linkage)


def _datasec(item: t.Datasec, strings: StringTable) -> bytes:
    head = _head(strings.add(item.name), 15, len(item.vars), item.size)
    return head + b"".join([_TRIPLE(var.type, var.offset, var.size) for var in item.vars])


def _float(item: t.Float, strings: StringTable) -> bytes:
    return _head(strings.add(item.name), 16, 0, item.size)


def _decl_tag(item: t.DeclTag, strings: StringTable) -> bytes:
    return _head(strings.add(item.tag), 17, 0, item.type, item.attribute) + _WORD(item.index & 0xFFFFFFFF)


def _type_tag(item: t.TypeTag, strings: StringTable) -> bytes:
    return _head(strings.add(item.tag), 18, 0, item.type, item.attribute)


_ENCODERS: dict[type[t.BtfType], Callable[[Any, StringTable], bytes]] = {
    t.Int: _int,
    t.Ptr: _reference,
    t.Array: _array,
    t.Struct: _struct,
    t.Union: _struct,
    t.Enum: _enum,
    t.Fwd: _fwd,
    t.Typedef: _typedef,
    t.Volatile: _reference,
    t.Const: _reference,
    t.Restrict: _reference,
    t.Func: _func,
    t.FuncProto: _func_proto,
    t.Var: _var,
    t.Datasec: _datasec,
    t.Float: _float,
    t.DeclTag: _decl_tag,
    t.TypeTag: _type_tag,
    t.Enum64: _enum64,
}
