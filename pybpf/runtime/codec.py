"""Typed values to bytes and back, by the compiler's types.

`codec(type, what)` builds a `Codec` once for a map's key or value, a ring buffer's record, a global. Decoding is one
`struct` unpack of all scalars, nested ones included, by a function generated for the type:

    struct Open { pid: u32; comm: Text[16]; addr: be32; }

    def decode(buf, at):
        v0, v1, v2 = unpack(buf, at)                      # "<I16s4s"
        o0 = new(Open); o0.pid = v0; o0.comm = text(v1); o0.addr = big(v2)
        return o0

Encoding mirrors it, and checks: an integer outside its width is an `OverflowError`, a value of the wrong type a
`TypeError`, a text or array of the wrong length a `ValueError`; each names the map and the field. Nothing is truncated.

Python values: ints and bools as such; enums as members of the IntEnum that was declared (a number without a name as an
int); `Text` as str (UTF-8 with surrogateescape, up to the first NUL);
`Bytes` as bytes; arrays as lists; structs as instances of the class that declares them (`StructType.owner`), or of a
plain class made here where there is none. A dict is taken for a struct when encoding. A pointer into an arena is a view
of what it leads to, or None.
"""

from __future__ import annotations

import struct as _struct
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.types import (
    BOOL,
    ArrayType,
    BoolType,
    BytesType,
    EnumType,
    Field,
    IntType,
    OptionalType,
    PtrType,
    StructType,
    TextType,
    Type,
    size_of,
)
from pybpf.runtime.misfit import bits_range, explain_misfit
from pybpf.runtime.structs import class_for
from pybpf.stdlib.types import enum_members

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DECODE_ENV", "Code", "Codec", "codec", "decoder", "is_flat", "read"]

_INT_CODES = {(8, False): "B", (8, True): "b", (16, False): "H", (16, True): "h",
              (32, False): "I", (32, True): "i", (64, False): "Q", (64, True): "q"}  # fmt: skip


class Codec:
    """Bytes to Python values and back for one type. `what` ("value of map 'hits'") starts its error messages."""

    __slots__ = ("_decode_many", "_pack", "decode", "size", "type", "what")

    def __init__(self, type: Type, what: str) -> None:
        self.type = type
        self.what = what
        self.size = size_of(type)
        self.decode: Callable[[Any, int], Any] = decoder(type)  # (buffer, offset) -> value
        self._pack = _encoder(type)
        code = _INT_CODES.get((type.bits, type.signed)) if isinstance(type, IntType) and not type.big else None
        self._decode_many = code

    def encode(self, value: Any) -> bytes:
        """The `size` bytes of a value. Raises as the module says."""
        try:
            return self._pack(value)
        except (_struct.error, AttributeError, TypeError, ValueError, OverflowError, KeyError):
            explain_misfit(self.type, value, self.what)
            raise

    def decode_many(self, buffer: Any, count: int, stride: int) -> list[Any]:
        """`count` values that start `stride` bytes apart."""
        if self._decode_many is not None and stride == self.size:
            return list(_struct.unpack_from(f"<{count}{self._decode_many}", buffer))
        decode = self.decode
        return [decode(buffer, at) for at in range(0, count * stride, stride)]


def codec(type: Type, what: str) -> Codec:
    """The codec of a type; see the module's docstring."""
    return Codec(type, what)


# ---------------------------------------------------------------------- generated code


class Code:
    """Collects the struct format, the statements and the constants of one generated function."""

    def __init__(self, at: int = 0) -> None:
        self.format = f"<{at}x" if at else "<"
        self.at = at
        self.names: list[str] = []
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self.made = 0

    def constant(self, value: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def take(self, at: int, code: str, size: int) -> str:
        """Claim `size` bytes at offset `at` of the flat format; the variable that holds them."""
        if at > self.at:
            self.format += f"{at - self.at}x"
        name = f"v{len(self.names)}"
        self.names.append(name)
        self.format += code
        self.at = at + size
        return name

    def pad(self, size: int) -> None:
        if size > self.at:
            self.format += f"{size - self.at}x"
            self.at = size


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")


class _Texts(dict[bytes, str]):
    """Texts by their bytes. The names of commands and the like come again and again, as keys that compare fast."""

    def __missing__(self, raw: bytes) -> str:
        if len(self) >= _MOST_TEXTS:
            self.clear()
        made = self[raw] = _text(raw)
        return made


def _lead(address: int, kind: Type) -> Any:
    if not address:
        return None
    from pybpf.runtime.arenamemory import pointed_to

    return pointed_to(address, kind)


def _address(value: Any, kind: Type) -> int:
    if value is None:
        return 0
    from pybpf.runtime.arenamemory import address_of

    return address_of(value, kind)


def _pointee(kind: OptionalType) -> Type:
    """What a pointer into an arena leads to."""
    assert isinstance(kind.inner, PtrType) and kind.inner.pointee is not None
    return kind.inner.pointee


_MOST_TEXTS, _LONGEST_TEXT = 4096, 64  # together at most about a megabyte

DECODE_ENV = {
    "text": _text,
    "texts": _Texts(),
    "big": lambda raw: int.from_bytes(raw, "big"),
    "little": lambda raw: int.from_bytes(raw, "little"),
    "new": object.__new__,
    "lead": _lead,
}


def is_flat(kind: Type) -> bool:
    """Whether a struct's fields follow one another, so that one struct format takes them all."""
    if isinstance(kind, StructType):
        end = 0
        for field in kind.fields:
            if field.bits or field.offset < end:
                return False
            end = field.offset + size_of(field.type)
    return True


def decoder(kind: Type) -> Callable[[Any, int], Any]:
    code = Code()
    if isinstance(kind, StructType) and not is_flat(kind):
        return _overlapping_decoder(kind)
    result = read(code, kind, 0)
    code.pad(size_of(kind))
    env = {**DECODE_ENV, **code.constants, "unpack": _struct.Struct(code.format).unpack_from}
    left = ", ".join(code.names) + ("," if len(code.names) == 1 else "")
    body = [f"{left} = unpack(buf, at)" if left else "unpack(buf, at)", *code.lines, f"return {result}"]
    exec("def decode(buf, at):\n " + "\n ".join(body), env)
    decode: Callable[[Any, int], Any] = env["decode"]
    return decode


def read(code: Code, kind: Type, at: int) -> str:
    """The expression of the value at offset `at`; adds what has to come before it."""
    match kind:
        case BoolType():
            return f"{code.take(at, 'B', 1)} != 0"
        case EnumType():
            number = read(code, kind.base, at)
            members = enum_members(kind)
            return f"{code.constant(members)}.get({number}, {number})" if members else number
        case IntType() if kind.big:
            return f"big({code.take(at, f'{kind.bits // 8}s', kind.bits // 8)})"
        case IntType():
            return code.take(at, _INT_CODES[kind.bits, kind.signed], kind.bits // 8)
        case PtrType():
            return code.take(at, "Q", 8)
        case OptionalType():
            return f"lead({code.take(at, 'Q', 8)}, {code.constant(_pointee(kind))})"
        case TextType():
            raw = code.take(at, f"{kind.size}s", kind.size)
            return f"texts[{raw}]" if kind.size <= _LONGEST_TEXT else f"text({raw})"
        case BytesType():
            return code.take(at, f"{kind.size}s", kind.size)
        case ArrayType():
            size = size_of(kind)
            raw = code.take(at, f"{size}s", size)
            element = kind.element
            if isinstance(element, IntType) and not element.big:
                format = f"<{kind.length}{_INT_CODES[element.bits, element.signed]}"
                return f"list({code.constant(_struct.Struct(format).unpack)}({raw}))"
            step = size_of(element)
            return f"[{code.constant(decoder(element))}({raw}, i) for i in range(0, {size}, {step})]"
        case StructType() if is_flat(kind):
            made = f"o{code.made}"
            code.made += 1
            parts = [(field.name, read(code, field.type, at + field.offset)) for field in kind.fields]
            code.lines.append(f"{made} = new({code.constant(class_for(kind))})")
            code.lines += [f"{made}.{name} = {value}" for name, value in parts]
            return made
        case StructType():
            raw = code.take(at, f"{kind.size}s", kind.size)
            return f"{code.constant(decoder(kind))}({raw}, 0)"
    raise TypeError(f"{kind} has no size in memory")


def _overlapping_decoder(kind: StructType) -> Callable[[Any, int], Any]:
    """For unions and bit fields: a field at a time."""
    cls = class_for(kind)
    if kind.union and hasattr(cls, "__bpf_unpack__"):
        unpack, size = cls.__bpf_unpack__, kind.size
        return lambda buf, at: unpack(buf[at : at + size])
    readers = [(field.name, _bits_reader(field) if field.bits else _at(field)) for field in kind.fields]

    def decode(buf: Any, at: int) -> Any:
        made = object.__new__(cls)
        for name, read in readers:
            setattr(made, name, read(buf, at))
        return made

    return decode


def _at(field: Field) -> Callable[[Any, int], Any]:
    decode, offset = decoder(field.type), field.offset
    return lambda buf, at: decode(buf, at + offset)


def _bits_reader(field: Field) -> Callable[[Any, int], int]:
    size = (field.bit_offset + field.bits + 7) // 8
    base = field.type.base if isinstance(field.type, EnumType) else field.type
    signed = isinstance(base, IntType) and base.signed
    members = enum_members(field.type) if isinstance(field.type, EnumType) else {}

    def read(buf: Any, at: int) -> int:
        start = at + field.offset
        value = int.from_bytes(bytes(buf[start : start + size]), "little") >> field.bit_offset & (1 << field.bits) - 1
        value = value - (1 << field.bits) if signed and value >> field.bits - 1 else value
        return value != 0 if field.type is BOOL else members.get(value, value)

    return read


def _put_text(value: Any, size: int) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    raw = value.encode("utf-8", "surrogateescape")
    if len(raw) > size or b"\0" in raw:
        raise ValueError
    return raw


def _put_bytes(value: Any, size: int) -> bytes:
    raw = bytes(memoryview(value))
    if len(raw) != size:
        raise ValueError
    return raw


def _put_bool(value: Any) -> bool:
    if value is not True and value is not False and value != 0 and value != 1:
        raise ValueError
    return bool(value)


def _put_big(value: Any, size: int) -> bytes:
    return int(value.__index__()).to_bytes(size, "big")


def _put_array(value: Any, length: int, encode: Callable[[Any], bytes]) -> bytes:
    if isinstance(value, (str, dict)) or len(value) != length:
        raise ValueError
    return b"".join([encode(item) for item in value])


def _cast(value: Any, cls: Any) -> Any:
    """A struct's value: an instance of its class, or a dict of its fields."""
    if isinstance(value, cls):
        return value
    if isinstance(value, dict):
        return cls(**value)
    raise TypeError


_ENCODE_ENV = {
    "text": _put_text, "raw": _put_bytes, "bool1": _put_bool, "big": _put_big, "array": _put_array, "cast": _cast,
    "address": _address,
}  # fmt: skip


def _encoder(kind: Type) -> Callable[[Any], bytes]:
    if isinstance(kind, StructType) and not is_flat(kind):
        return _overlapping_encoder(kind)
    code = Code()
    values: list[str] = []
    _write(code, kind, 0, "value", values)
    code.pad(size_of(kind))
    env = {**_ENCODE_ENV, **code.constants, "pack": _struct.Struct(code.format).pack}
    exec("def encode(value):\n " + "\n ".join([*code.lines, f"return pack({', '.join(values)})"]), env)
    encode: Callable[[Any], bytes] = env["encode"]
    return encode


def _write(code: Code, kind: Type, at: int, value: str, out: list[str]) -> None:
    """Append to `out` the expressions that `pack` takes for the value at offset `at`."""
    match kind:
        case BoolType():
            code.take(at, "B", 1)
            out.append(f"bool1({value})")
        case EnumType():
            _write(code, kind.base, at, value, out)
        case IntType() if kind.big:
            size = kind.bits // 8
            code.take(at, f"{size}s", size)
            out.append(f"big({value}, {size})")
        case IntType():
            code.take(at, _INT_CODES[kind.bits, kind.signed], kind.bits // 8)
            out.append(value)
        case PtrType():
            code.take(at, "Q", 8)
            out.append(value)
        case OptionalType():
            code.take(at, "Q", 8)
            out.append(f"address({value}, {code.constant(_pointee(kind))})")
        case TextType():
            code.take(at, f"{kind.size}s", kind.size)
            out.append(f"text({value}, {kind.size})")
        case BytesType():
            code.take(at, f"{kind.size}s", kind.size)
            out.append(f"raw({value}, {kind.size})")
        case ArrayType():
            size = size_of(kind)
            code.take(at, f"{size}s", size)
            out.append(f"array({value}, {kind.length}, {code.constant(_encoder(kind.element))})")
        case StructType() if is_flat(kind):
            made = f"o{code.made}"
            code.made += 1
            code.lines.append(f"{made} = cast({value}, {code.constant(class_for(kind))})")
            for field in kind.fields:
                _write(code, field.type, at + field.offset, f"{made}.{field.name}", out)
        case StructType():
            code.take(at, f"{kind.size}s", kind.size)
            out.append(f"{code.constant(_encoder(kind))}({value})")
        case _:
            raise TypeError(f"{kind} has no size in memory")


def _overlapping_encoder(kind: StructType) -> Callable[[Any], bytes]:
    """Unions take a dict with the one member that is meant; bit fields are packed one after the other."""
    cls = class_for(kind)
    pack_union = getattr(cls, "__bpf_pack__", None)
    encoders = {field.name: (field, None if field.bits else _encoder(field.type)) for field in kind.fields}

    def encode(value: Any) -> bytes:
        if isinstance(value, dict):
            given = dict(value)
        elif isinstance(value, cls) and not kind.union:
            given = {name: getattr(value, name) for name in encoders}
        elif isinstance(value, cls) and pack_union is not None:
            if value._name:
                encoders[value._name][1](value._value)  # type: ignore[misc]  # strict, where the union itself wraps
            return pack_union(value)  # type: ignore[no-any-return]
        else:
            raise TypeError
        if kind.union and len(given) != 1:
            raise ValueError
        out = bytearray(kind.size)
        for name, item in given.items():
            field, pack = encoders[name]
            if pack is None:
                number = item.__index__()
                if not bits_range(field)[0] <= number <= bits_range(field)[1]:
                    raise OverflowError
                size = (field.bit_offset + field.bits + 7) // 8
                here = int.from_bytes(out[field.offset : field.offset + size], "little")
                here |= (number & (1 << field.bits) - 1) << field.bit_offset
                out[field.offset : field.offset + size] = here.to_bytes(size, "little")
            else:
                out[field.offset : field.offset + size_of(field.type)] = pack(item)
        return bytes(out)

    return encode
