"""The bytes of a `.BTF` section -> BTF types, whoever wrote them: clang, pahole, the kernel, or we.

The kernel's own BTF has some 150,000 types, of which a caller wants a handful. So opening only walks over the types
to find where each starts; a type becomes a record when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Layout
from typing import TYPE_CHECKING, overload

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.encode import HEADER, MAGIC
from pybpf.compiler.btf.types import BtfError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Btf", "decode_btf"]

_WORD = Layout("<I")
_PAIR = Layout("<II")
_TRIPLE = Layout("<III")

# Bytes that follow the common 12, by kind: a fixed number, and one for each of `vlen` parts.
_FIXED = (0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0)
_EACH = (0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12)


def decode_btf(data: bytes, base: Btf | None = None) -> Btf:
    """Open a `.BTF` section, or a file of /sys/kernel/btf. A kernel module's continues that of `base`, vmlinux.

    Raises BtfError when the bytes are no BTF, are cut short, or hold a kind not known here.
    """
    return Btf(data, base)


class Btf(Sequence["t.BtfType"]):
    """The types of a `.BTF` section by id; `btf[0]` is VOID."""

    def __init__(self, data: bytes, base: Btf | None = None) -> None:
        self._base = base
        self._first = len(base) if base is not None else 1
        self._first_string: int = base.strings_end if base is not None else 0
        self._types, self._strings = _split(data)
        self.strings_end: int = self._first_string + len(self._strings)
        self._starts = _starts(self._types, self._first)
        self._cache: dict[int, t.BtfType] = {}
        self._names: dict[str, list[int]] | None = None

    def __len__(self) -> int:
        """The number of types, VOID and those of the base included."""
        return self._first + len(self._starts)

    @overload
    def __getitem__(self, index: int) -> t.BtfType: ...
    @overload
    def __getitem__(self, index: slice) -> list[t.BtfType]: ...
    def __getitem__(self, index: int | slice) -> t.BtfType | list[t.BtfType]:
        """Type number `index`. Raises IndexError for no such type, BtfError for a broken one."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if index < self._first:
            if self._base is not None:
                return self._base[index]
            if index == 0:
                return t.VOID
        item = self._cache.get(index)
        if item is None:
            if not self._first <= index < len(self):
                raise IndexError(f"no BTF type [{index}]; there are {len(self)}")
            item = self._cache[index] = self._read(index, self._starts[index - self._first])
        return item

    def string(self, offset: int) -> str:
        """The text at `offset` of the string table. Raises BtfError when it lies outside."""
        if offset < self._first_string and self._base is not None:
            return self._base.string(offset)
        start = offset - self._first_string
        end = self._strings.find(b"\0", start) if 0 <= start < len(self._strings) else -1
        if end < 0:
            raise BtfError(f"no string at {offset}; the table has {self.strings_end} bytes")
        return self._strings[start:end].decode("utf-8", "replace")

    def find(self, name: str, kind: type[t.BtfType] | None = None) -> int:
        """Id of the first type of that name (and kind), those of the base included; 0 when there is none."""
        if self._base is not None:
            found = self._base.find(name, kind)
            if found:
                return found
        if self._names is None:
            self._names = self._index()
        for number in self._names.get(name, ()):
            if kind is None or type(self[number]) is kind:
                return number
        return 0

    def _index(self) -> dict[str, list[int]]:
        names: dict[str, list[int]] = {}
        texts: dict[int, str] = {0: ""}
        for number, start in enumerate(self._starts, self._first):
            offset = _WORD.unpack_from(self._types, start)[0]
            if offset:
                text = texts.get(offset)
                if text is None:
                    text = texts[offset] = self.string(offset)
                names.setdefault(text, []).append(number)
        return names

    def _read(self, number: int, start: int) -> t.BtfType:
        name, info, rest = _TRIPLE.unpack_from(self._types, start)
        try:
            return _READERS[info >> 24 & 0x1F](self, self.string(name), info, rest, start + 12)
        except BtfError as problem:
            raise BtfError(f"BTF type [{number}]: {problem}") from None

    def _words(self, at: int, count: int, layout: Layout) -> list[tuple[int, ...]]:
        return list(layout.iter_unpack(self._types[at : at + count * layout.size]))

    def _int(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        word = _WORD.unpack_from(self._types, at)[0]
        return t.Int(name, rest, word >> 24 & 0xF, word & 0xFF, word >> 16 & 0xFF)

    def _array(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        return t.Array(*_TRIPLE.unpack_from(self._types, at))

    def _struct(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        members = []
        for text, type_, where in self._words(at, info & 0xFFFF, _TRIPLE):
            offset, bits = (where & 0xFFFFFF, where >> 24) if info >> 31 else (where, 0)
            members.append(t.Member(self.string(text), type_, offset, bits))
        return (t.Struct if info >> 24 & 0x1F == 4 else t.Union)(name, rest, tuple(members))

    def _enum(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        signed = bool(info >> 31)
        values = [
            (self.string(text), value - (1 << 32) if signed and value >> 31 else value)
            for text, value in self._words(at, info & 0xFFFF, _PAIR)
        ]
        return t.Enum(name, rest, signed, tuple(values))

    def _enum64(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        signed = bool(info >> 31)
        values = []
        for text, low, high in self._words(at, info & 0xFFFF, _TRIPLE):
            value = high << 32 | low
            values.append((self.string(text), value - (1 << 64) if signed and high >> 31 else value))
        return t.Enum64(name, rest, signed, tuple(values))

    def _fwd(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        return t.Fwd(name, bool(info >> 31))

    def _func(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        return t.Func(name, rest, info & 0xFFFF)

    def _func_proto(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        params = [t.Parameter(self.string(text), type_) for text, type_ in self._words(at, info & 0xFFFF, _PAIR)]
        return t.FuncProto(rest, tuple(params))

    def _var(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        return t.Var(name, rest, _WORD.unpack_from(self._types, at)[0])

    def _datasec(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        return t.Datasec(name, rest, tuple([t.SectionVar(*var) for var in self._words(at, info & 0xFFFF, _TRIPLE)]))

    def _decl_tag(self, name: str, info: int, rest: int, at: int) -> t.BtfType:
        index = _WORD.unpack_from(self._types, at)[0]
        return t.DeclTag(name, rest, index - (1 << 32) if index >> 31 else index, bool(info >> 31))


def _reference(
    make: Callable[[int], t.BtfType],
) -> Callable[[Btf, str, int, int, int], t.BtfType]:
    return lambda btf, name, info, rest, at: make(rest)


_READERS: dict[int, Callable[[Btf, str, int, int, int], t.BtfType]] = {
    1: Btf._int,
    2: _reference(t.Ptr),
    3: Btf._array,
    4: Btf._struct,
    5: Btf._struct,
    6: Btf._enum,
    7: Btf._fwd,
    8: lambda btf, name, info, rest, at: t.Typedef(name, rest),
    9: _reference(t.Volatile),
    10: _reference(t.Const),
    11: _reference(t.Restrict),
    12: Btf._func,
    13: Btf._func_proto,
    14: Btf._var,
    15: Btf._datasec,
    16: lambda btf, name, info, rest, at: t.Float(name, rest),
    17: Btf._decl_tag,
    18: lambda btf, name, info, rest, at: t.TypeTag(name, rest, bool(info >> 31)),
    19: Btf._enum64,
}


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The type and the string part of a section."""
    if len(data) < HEADER.size:
        raise BtfError(f".BTF: only {len(data)} bytes")
    magic, version, _, length, type_at, type_size, string_at, string_size = HEADER.unpack_from(data)
    if magic == int.from_bytes(MAGIC.to_bytes(2, "big"), "little"):
        raise BtfError(".BTF: written for a big-endian machine")
    if magic != MAGIC:
        raise BtfError(f".BTF: magic number is {magic:#06x}, not {MAGIC:#06x}")
    if version != 1:
        raise BtfError(f".BTF: version {version} is not known")
    if length < HEADER.size or length + max(type_at + type_size, string_at + string_size) > len(data):
        raise BtfError(".BTF: the header points past the end")
    types = data[length + type_at : length + type_at + type_size]
    strings = data[length + string_at : length + string_at + string_size]
    if not strings.endswith(b"\0"):
        raise BtfError(".BTF: the string table doesn't end with a NUL")
    return types, strings


def _starts(types: bytes, first: int) -> list[int]:
    """Where each type starts, in bytes."""
    starts: list[int] = []
    at, end = 0, len(types)
    unpack = _PAIR.unpack_from
    fixed, each = _FIXED, _EACH
    while at < end:
        if at + 12 > end:
            raise BtfError(f"BTF type [{first + len(starts)}]: cut short")
        info = unpack(types, at)[1]
        kind = info >> 24 & 0x1F
        if not 0 < kind < 20:
            raise BtfError(f"BTF type [{first + len(starts)}]: kind {kind} is not known")
        starts.append(at)
        at += 12 + fixed[kind] + each[kind] * (info & 0xFFFF)
    if at > end:
        raise BtfError(f"BTF type [{first + len(starts) - 1}]: cut short")
    return starts
