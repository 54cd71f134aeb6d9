"""Global variables of a program: `const()` and `var()`, or any of an object's data sections.

`symbols(elf)` finds them in the object file: name -> (section, offset, size). `initialise` writes values before the
load, when libbpf still holds each section's content as plain memory; `Globals` reads and writes them afterwards,
through the section's map, mapped into this process where the map allows (libbpf makes them so from 5.5 on).
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import BytesType
from pybpf.runtime import mapops
from pybpf.runtime.codec import Codec, codec
from pybpf.runtime.descriptor import Descriptor
from pybpf.runtime.errors import LoadError, PybpfError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import GlobalSpec

__all__ = ["Globals", "Symbol", "close_match", "initialise", "is_data_section", "section_data", "symbols"]

_DATA = (".rodata", ".data", ".bss")
_MMAPABLE = 1 << 10  # BPF_F_MMAPABLE


class Symbol(Record):
    """A variable: the section that holds it, its offset there and its size in bytes."""

    section: str
    offset: int
    size: int


class Section(Record, eq=False):
    """A data section in the kernel: its map's fd, the map's value size in bytes and flags."""

    fd: int
    size: int
    flags: int


def is_data_section(name: str) -> bool:
    """Whether a section holds variables: .rodata, .data, .bss and .rodata.x, .data.x, .bss.x."""
    return name.startswith(_DATA) and (name in _DATA or name.startswith(tuple(f"{prefix}." for prefix in _DATA)))


def symbols(elf: bytes, wanted: Callable[[str], bool] = is_data_section) -> dict[str, Symbol]:
    """The data symbols of an ELF64 little-endian object, in symbol order. LoadError where it is none.

    Those of sections that are `wanted`.
    """
    if elf[:6] != b"\x7fELF\x02\x01" or len(elf) < 64:
        raise LoadError("not an ELF object for BPF (64 bits, little-endian)")
    (start,) = struct.unpack_from("<Q", elf, 40)
    entry_size, count, names_index = struct.unpack_from("<HHH", elf, 58)
    try:
        headers = [struct.unpack_from("<IIQQQQII", elf, start + index * entry_size) for index in range(count)]
        names = _strings(elf, headers[names_index])
        sections = [names(header[0]) for header in headers]
        found: dict[str, Symbol] = {}
        for header in headers:
            if header[1] != 2:  # SHT_SYMTAB
                continue
            text = _strings(elf, headers[header[6]])
            for at in range(header[4], header[4] + header[5], 24):
                name, info, _, index, value, size = struct.unpack_from("<IBBHQQ", elf, at)
                if info & 15 == 1 and index < count and wanted(sections[index]):  # STT_OBJECT
                    found[text(name)] = Symbol(sections[index], value, size)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise LoadError("the ELF object is cut short or damaged") from error
    return found


def section_data(elf: bytes, name: str) -> bytes:
    """What an object's section holds; b"" where it has none of that name."""
    (start,) = struct.unpack_from("<Q", elf, 40)
    entry_size, count, names_index = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQII", elf, start + index * entry_size) for index in range(count)]
    names = _strings(elf, headers[names_index])
    return next((elf[each[4] : each[4] + each[5]] for each in headers if names(each[0]) == name), b"")


def _strings(elf: bytes, header: tuple[int, ...]) -> Callable[[int], str]:
    offset = header[4]
    return lambda at: elf[offset + at : elf.index(b"\0", offset + at)].decode()


def codecs(found: dict[str, Symbol], specs: Mapping[str, GlobalSpec]) -> dict[str, Codec]:
    """How each variable is read: by its declared type, or as bytes."""
    made = {}
    for name, symbol in found.items():
        spec = specs.get(name)
        made[name] = codec(spec.type if spec is not None else BytesType(symbol.size), f"global {name!r}")
    return made


def initialise(
    values: Mapping[str, Any],
    found: dict[str, Symbol],
    codecs: dict[str, Codec],
    memory: Callable[[str], tuple[int, int]],
) -> None:
    """Set variables of an object that is open and not loaded. `memory` gives a section's (address, size)."""
    for name, value in values.items():
        symbol = found.get(name)
        if symbol is None:
            raise LoadError(f"there is no global {name!r} to set", _known(name, found))
        raw = codecs[name].encode(value)
        address, size = memory(symbol.section)
        if not address or symbol.offset + len(raw) > size:
            raise LoadError(f"global {name!r} is outside its section {symbol.section}")
        ctypes.memmove(address + symbol.offset, raw, len(raw))


def _known(name: str, found: Mapping[str, Any]) -> str:
    named = [each for each in found if not each.startswith("printk_format_")]  # those the compiler adds
    return close_match(name, found) or (f"the object has {', '.join(named)}" if named else "the object has no globals")


def close_match(name: str, names: Mapping[str, Any]) -> str:
    """`did you mean 'pid'?`, or empty."""
    import difflib

    close = difflib.get_close_matches(name, list(names), 1)
    return f"did you mean {close[0]!r}?" if close else ""


class Globals(Mapping[str, Any]):
    """The variables of a loaded object by name; `obj.globals["total"]`, `obj.globals["limit"] = 3`."""

    def __init__(
        self,
        found: dict[str, Symbol],
        codecs: dict[str, Codec],
        sections: dict[str, Section],
        check: Callable[[], None],
    ) -> None:
        self._symbols = {name: symbol for name, symbol in found.items() if symbol.section in sections}
        self._codecs = codecs
        self._sections = sections
        self._check = check
        self._own = {name: Descriptor(section.fd) for name, section in sections.items()}
        self._mapped: dict[str, mmap.mmap] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._symbols)

    def __len__(self) -> int:
        return len(self._symbols)

    def __getitem__(self, name: str) -> Any:
        symbol = self._find(name)
        return self._codecs[name].decode(self._read(symbol), 0)

    def __setitem__(self, name: str, value: Any) -> None:
        symbol = self._find(name)
        if symbol.section.startswith(".rodata"):
            raise TypeError(f"global {name!r} is a constant of the loaded program: set it with load(..., {name}=...)")
        raw = self._codecs[name].encode(value)
        mapped = self._map(symbol.section)
        if mapped is not None:
            mapped[symbol.offset : symbol.offset + len(raw)] = raw
            return
        section = self._sections[symbol.section]
        own = self._descriptor(symbol.section)
        whole = bytearray(mapops.lookup(own.number, bytes(4), section.size) or bytes(section.size))
        whole[symbol.offset : symbol.offset + len(raw)] = raw
        mapops.update(own.number, bytes(4), bytes(whole))

    def _find(self, name: str) -> Symbol:
        self._check()
        symbol = self._symbols.get(name)
        if symbol is None:
            raise KeyError(f"no global {name!r}; {_known(name, self._symbols)}")
        return symbol

    def _read(self, symbol: Symbol) -> bytes:
        size = symbol.size
        mapped = self._map(symbol.section)
        if mapped is not None:
            # one 8-byte access for what fits, so that a counter is never seen half written
            if size == 8 and symbol.offset % 8 == 0:
                whole = memoryview(mapped)
                try:
                    return whole[symbol.offset : symbol.offset + 8].cast("Q").tolist()[0].to_bytes(8, "little")
                finally:
                    whole.release()
            return mapped[symbol.offset : symbol.offset + size]
        section = self._sections[symbol.section]
        own = self._descriptor(symbol.section)
        found = mapops.lookup(own.number, bytes(4), section.size)
        if found is None:
            raise PybpfError(f"the section {symbol.section} has no content")
        return found[symbol.offset : symbol.offset + size]

    def _map(self, name: str) -> mmap.mmap | None:
        mapped = self._mapped.get(name)
        section = self._sections[name]
        if mapped is None and section.flags & _MMAPABLE:
            protection = mmap.PROT_READ if name.startswith(".rodata") else mmap.PROT_READ | mmap.PROT_WRITE
            own = self._descriptor(name)
            mapped = self._mapped[name] = mmap.mmap(own.number, section.size, mmap.MAP_SHARED, protection)
        return mapped

    def _descriptor(self, section: str) -> Descriptor:
        """That of a section's map; to be held while its number is in use."""
        found = self._own.get(section)
        if found is None:
            self._check()
            raise KeyError(section)
        return found

    def close(self) -> None:
        """Unmap the sections; called by the object."""
        self._mapped = {}  # unmapped when nobody reads them any more
        for own in self._own.values():
            own.shut()
        self._own = {}
