"""Sections, symbols and relocations -> the bytes of an ELF64 relocatable object for BPF.

    file header
    the sections, each aligned; among them a .rel section for each with relocations
    .symtab   null symbol, local symbols, global symbols
    .strtab   names of symbols and of sections
    section headers

Loaders want (each found by breaking it): machine 247, alignments of at least 1, one symbol table with locals
first, REL and never RELA, one `.rel<name>` a section.
"""

from __future__ import annotations

from _struct import Struct as Layout

from pybpf.compiler.btf.strings import StringTable
from pybpf.compiler.schema.record import Record

__all__ = [
    "R_BPF_64_32", "R_BPF_64_64", "R_BPF_64_ABS64", "SHF_ALLOC", "SHF_EXECINSTR", "SHF_WRITE", "SHT_NOBITS",
    "SHT_PROGBITS", "STT_FUNC", "STT_NOTYPE", "STT_OBJECT", "STT_SECTION", "Relocation", "Section", "Symbol",
    "object_bytes",
]  # fmt: skip

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS, SHT_REL = 1, 2, 3, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION = 0, 1, 2, 3
EM_BPF, ET_REL = 247, 1

# Relocation types (kernel Documentation/bpf/llvm_reloc.rst): the immediate of a 64-bit load; of a call
R_BPF_64_64, R_BPF_64_ABS64, R_BPF_64_32 = 1, 2, 10

_HEADER = Layout("<16sHHIQQQIHHHHHH")
_SECTION = Layout("<IIQQQQIIQQ")
_SYMBOL = Layout("<IBBHQQ")
_RELOCATION = Layout("<QQ")


class Relocation(Record):
    """The instruction at byte `offset` of the section refers to a symbol, by its key."""

    offset: int
    symbol: str
    type: int


class Section(Record):
    """A section of the program. `size` counts for SHT_NOBITS only, which has no data."""

    name: str
    type: int
    flags: int
    data: bytes
    align: int
    relocations: tuple[Relocation, ...] = ()
    size: int = 0


class Symbol(Record):
    """A symbol. `section` "" means undefined. Relocations refer to it by its name, or, when it is the nameless
    symbol of a section, by the section's.
    """

    name: str
    section: str
    value: int
    size: int
    type: int
    binding: int = STB_GLOBAL


def object_bytes(sections: list[Section], symbols: list[Symbol]) -> bytes:
    """The object. Sections and symbols keep their order, except that local symbols come first."""
    index = {section.name: number for number, section in enumerate(sections, 1)}
    assert len(index) == len(sections), "two sections of one name"
    ordered = [s for s in symbols if s.binding == STB_LOCAL] + [s for s in symbols if s.binding != STB_LOCAL]
    numbers = {symbol.name or symbol.section: number for number, symbol in enumerate(ordered, 1)}
    first_global = 1 + sum([symbol.binding == STB_LOCAL for symbol in ordered])
    relocated = [section for section in sections if section.relocations]
    symtab_index = len(sections) + len(relocated) + 1

    strings = StringTable()
    table = [bytes(_SYMBOL.size)]
    for s in ordered:
        where = index[s.section] if s.section else 0
        table.append(_SYMBOL.pack(strings.add(s.name), s.binding << 4 | s.type, 0, where, s.value, s.size))

    # (name, type, flags, data, size, link, info, align, entry size)
    rows = [
        (s.name, s.type, s.flags, s.data, s.size if s.type == SHT_NOBITS else len(s.data), 0, 0, s.align, 0)
        for s in sections
    ]
    for section in relocated:
        data = b"".join([_RELOCATION.pack(r.offset, numbers[r.symbol] << 32 | r.type) for r in section.relocations])
        name = ".rel" + section.name
        rows.append((name, SHT_REL, 0, data, len(data), symtab_index, index[section.name], 8, _RELOCATION.size))
    symtab = b"".join(table)
    rows.append((".symtab", SHT_SYMTAB, 0, symtab, len(symtab), symtab_index + 1, first_global, 8, _SYMBOL.size))
    names = [strings.add(row[0]) for row in rows] + [strings.add(".strtab")]
    text = strings.data()
    rows.append((".strtab", SHT_STRTAB, 0, text, len(text), 0, 0, 1, 0))
    return _lay_out(rows, names)


def _lay_out(rows: list[tuple[str, int, int, bytes, int, int, int, int, int]], names: list[int]) -> bytes:
    out = bytearray(_HEADER.size)
    headers = [bytes(_SECTION.size)]
    for (_, type_, flags, data, size, link, info, align, entry), name in zip(rows, names):
        out += bytes(-len(out) % align)
        headers.append(_SECTION.pack(name, type_, flags, 0, len(out), size, link, info, align, entry))
        out += data
    out += bytes(-len(out) % 8)
    start = len(out)
    out += b"".join(headers)
    _HEADER.pack_into(
        out, 0, b"\x7fELF\2\1\1", ET_REL, EM_BPF, 1, 0, 0, start, 0, _HEADER.size, 0, 0, _SECTION.size,
        len(headers), len(headers) - 1,
    )  # fmt: skip
    return bytes(out)
