"""The bytes of a `.BTF` section -> BTF types, whoever wrote them: clang, pahole, the kernel, or we.

The kernel's own BTF has some 150,000 types, of which a caller wants a handful. So opening only walks over the types
to find where each starts (with an index, not even that); a type becomes a record when it is asked for.
"""

from __future__ import annotations

from _struct import Struct as Layout

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.encode import HEADER, MAGIC
from pybpf.compiler.btf.index import ENUMERATOR, Names, index_bytes, name_table, read_index, scan
from pybpf.compiler.btf.types import BtfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Protocol, overload

    class Bytes(Protocol):
        """A section's part: bytes, or something that reads them when they are asked for."""

        def __len__(self) -> int: ...
        def __getitem__(self, part: slice, /) -> bytes: ...
        def find(self, text: bytes, start: int, /) -> int: ...

    _Base = Sequence["t.BtfType"]
else:
    _Base = object

__all__ = ["Btf", "decode_btf", "extent"]

_WORD = Layout("<I")
_PAIR = Layout("<II")
_TRIPLE = Layout("<III")


def decode_btf(data: bytes, base: Btf | None = None) -> Btf:
    """Open a `.BTF` section, or a file of /sys/kernel/btf. A kernel module's continues that of `base`, vmlinux.

    Raises BtfError when the bytes are no BTF, are cut short, or hold a kind not known here.
    """
    types, strings = extent(data[: HEADER.size], len(data))
    if not data[strings].endswith(b"\0"):
        raise BtfError(".BTF: the string table doesn't end with a NUL")
    return Btf(data[types], data[strings], base)


class Btf(_Base):
    """The types of a `.BTF` section by id; `btf[0]` is VOID.

    `types` and `strings` are the section's two parts; with an `index`, as `make_index` made it, they may be something
    that reads bytes when they are asked for. Raises BtfError for an index that is not theirs: `identity` tells.
    """

    def __init__(
        self,
        types: Bytes,
        strings: Bytes,
        base: Btf | None = None,
        index: bytes = b"",
        identity: bytes = b"",
    ) -> None:
        self._base = base
        self._first = len(base) if base is not None else 1
        self._first_string: int = base.strings_end if base is not None else 0
        self._types, self._strings = types, strings
        self.strings_end: int = self._first_string + len(strings)
        self._names: Names | None = None
        self._starts: Sequence[int]
        if index:
            self._starts, self._names = read_index(index, identity)
        else:
            self._starts = scan(types[:], self._first)
        self._cache: dict[int, t.BtfType] = {}

    def __len__(self) -> int:
        """The number of types, VOID and those of the base included."""
        return self._first + len(self._starts)

    def __iter__(self) -> Iterator[t.BtfType]:
        return iter([self[number] for number in range(len(self))])

    if TYPE_CHECKING:

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
            item = self._cache[index] = self._read(index, self._record(index))
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
        return next(iter(self._named(name, kind)), 0)

    def find_all(self, name: str, kind: type[t.BtfType] | None = None) -> list[int]:
        """Ids of all types of that name (and kind), ascending, those of the base included."""
        return (self._base.find_all(name, kind) if self._base is not None else []) + self._named(name, kind)

    def find_enumerator(self, name: str) -> int:
        """Id of the first enum that has an enumerator of that name, those of the base included; 0 for none."""
        found = self._base.find_enumerator(name) if self._base is not None else 0
        if found:
            return found
        for number in self._table().find(name):
            if number & ENUMERATOR:
                item = self[number ^ ENUMERATOR]
                if isinstance(item, (t.Enum, t.Enum64)) and any(text == name for text, _ in item.values):
                    return number ^ ENUMERATOR
        return 0

    def names(self, *kinds: type[t.BtfType]) -> list[tuple[int, str]]:
        """(id, name) of all types of these kinds, "" for those without a name; those of the base left out."""
        wanted = {kind.kind for kind in kinds}
        types, made = self._types[:], []
        for number, start in enumerate(self._starts, self._first):
            name, info = _PAIR.unpack_from(types, start)
            if info >> 24 & 0x1F in wanted:
                made.append((number, self.string(name)))
        return made

    @property
    def texts(self) -> bytes:
        """The whole string table, that of the base left out."""
        return self._strings[:]

    def make_index(self, identity: bytes = b"") -> bytes:
        """The index of this section, with which it opens without a walk over its types."""
        return index_bytes(self._starts, self._table(), identity)

    def _named(self, name: str, kind: type[t.BtfType] | None) -> list[int]:
        made = []
        for number in self._table().find(name):
            if not number & ENUMERATOR:
                text, info = _PAIR.unpack(self._record(number)[:8])
                if (kind is None or info >> 24 & 0x1F == kind.kind) and self.string(text) == name:
                    made.append(number)
        return made

    def _table(self) -> Names:
        if self._names is None:
            self._names = name_table(self._types[:], self._starts, self._first, self._strings[:], self._first_string)
        return self._names

    def _record(self, number: int) -> bytes:
        """The bytes of type `number`, which is one of this section."""
        place = number - self._first
        if not 0 <= place < len(self._starts):
            raise BtfError(f"BTF type [{number}] is not in this section")
        end = self._starts[place + 1] if place + 1 < len(self._starts) else len(self._types)
        return self._types[self._starts[place] : end]

    def _read(self, number: int, record: bytes) -> t.BtfType:
        name, info, rest = _TRIPLE.unpack_from(record)
        try:
            return _READERS[info >> 24 & 0x1F](self, self.string(name), info, rest, record[12:])
        except BtfError as problem:
            raise BtfError(f"BTF type [{number}]: {problem}") from None

    def _int(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        word = _WORD.unpack(more)[0]
        return t.Int(name, rest, word >> 24 & 0xF, word & 0xFF, word >> 16 & 0xFF)

    def _array(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        return t.Array(*_TRIPLE.unpack(more))

    def _struct(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        members = []
        for text, type_, where in _TRIPLE.iter_unpack(more):
            offset, bits = (where & 0xFFFFFF, where >> 24) if info >> 31 else (where, 0)
            members.append(t.Member(self.string(text), type_, offset, bits))
        return (t.Struct if info >> 24 & 0x1F == 4 else t.Union)(name, rest, tuple(members))

    def _enum(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        signed = bool(info >> 31)
        values = [
            (self.string(text), value - (1 << 32) if signed and value >> 31 else value)
            for text, value in _PAIR.iter_unpack(more)
        ]
        return t.Enum(name, rest, signed, tuple(values))

    def _enum64(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        signed = bool(info >> 31)
        values = []
        for text, low, high in _TRIPLE.iter_unpack(more):
            value = high << 32 | low
            values.append((self.string(text), value - (1 << 64) if signed and high >> 31 else value))
        return t.Enum64(name, rest, signed, tuple(values))

    def _fwd(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        return t.Fwd(name, bool(info >> 31))

    def _func(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        return t.Func(name, rest, info & 0xFFFF)

    def _func_proto(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        params = [t.Parameter(self.string(text), type_) for text, type_ in _PAIR.iter_unpack(more)]
        return t.FuncProto(rest, tuple(params))

    def _var(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        return t.Var(name, rest, _WORD.unpack(more)[0])

    def _datasec(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        return t.Datasec(name, rest, tuple([t.SectionVar(*var) for var in _TRIPLE.iter_unpack(more)]))

    def _decl_tag(self, name: str, info: int, rest: int, more: bytes) -> t.BtfType:
        index = _WORD.unpack(more)[0]
        return t.DeclTag(name, rest, index - (1 << 32) if index >> 31 else index, bool(info >> 31))


def _reference(
    make: Callable[[int], t.BtfType],
) -> Callable[[Btf, str, int, int, bytes], t.BtfType]:
    return lambda btf, name, info, rest, more: make(rest)


_READERS: dict[int, Callable[[Btf, str, int, int, bytes], t.BtfType]] = {
    1: Btf._int,
    2: _reference(t.Ptr),
    3: Btf._array,
    4: Btf._struct,
    5: Btf._struct,
    6: Btf._enum,
    7: Btf._fwd,
    8: lambda btf, name, info, rest, more: t.Typedef(name, rest),
    9: _reference(t.Volatile),
    10: _reference(t.Const),
    11: _reference(t.Restrict),
    12: Btf._func,
    13: Btf._func_proto,
    14: Btf._var,
    15: Btf._datasec,
    16: lambda btf, name, info, rest, more: t.Float(name, rest),
    17: Btf._decl_tag,
    18: lambda btf, name, info, rest, more: t.TypeTag(name, rest, bool(info >> 31)),
    19: Btf._enum64,
}


def extent(header: bytes, size: int) -> tuple[slice, slice]:
    """Where the type and the string part of a section of `size` bytes lie, by its header. Raises BtfError."""
    if len(header) < HEADER.size:
        raise BtfError(f".BTF: only {len(header)} bytes")
    magic, version, _, length, type_at, type_size, string_at, string_size = HEADER.unpack_from(header)
    if magic == int.from_bytes(MAGIC.to_bytes(2, "big"), "little"):
        raise BtfError(".BTF: written for a big-endian machine")
    if magic != MAGIC:
        raise BtfError(f".BTF: magic number is {magic:#06x}, not {MAGIC:#06x}")
    if version != 1:
        raise BtfError(f".BTF: version {version} is not known")
    if length < HEADER.size or length + max(type_at + type_size, string_at + string_size) > size:
        raise BtfError(".BTF: the header points past the end")
    types, strings = length + type_at, length + string_at
    return slice(types, types + type_size), slice(strings, strings + string_size)
