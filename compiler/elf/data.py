"""Globals and literals -> `.rodata`, `.data`, `.bss`, with a symbol each; those of an arena -> `.addr_space.1`."""

from __future__ import annotations

from pybpf.compiler.elf.image import (
    SHF_ALLOC,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_PROGBITS,
    STB_GLOBAL,
    STB_LOCAL,
    STT_OBJECT,
    Section,
    Symbol,
)
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import align_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.elf.model import Literal, ObjectModel
    from pybpf.compiler.schema.specs import GlobalSpec

__all__ = ["ARENA", "DataSection", "data_section", "data_sections", "data_symbols"]

ARENA = ".addr_space.1"  # what libbpf (ARENA_SEC) puts at the start of the object's arena
_FLAGS = {
    ".rodata": SHF_ALLOC, ".data": SHF_ALLOC | SHF_WRITE, ".bss": SHF_ALLOC | SHF_WRITE, ARENA: SHF_ALLOC | SHF_WRITE,
}  # fmt: skip


class DataSection(Record):
    """A data section: what is in it, with its offset in bytes. `size` is that of the whole."""

    name: str
    globals: list[tuple[GlobalSpec, int]]
    literals: list[tuple[Literal, int]]
    size: int
    align: int


def data_sections(model: ObjectModel) -> list[DataSection]:
    """The sections that the model needs, in a fixed order. A variable whose value starts as zeros is in `.bss`."""
    found: dict[str, list[GlobalSpec]] = {name: [] for name in _FLAGS}
    for spec in model.globals:
        if spec.arena is not None:
            found[ARENA].append(spec)
            continue
        found[".rodata" if spec.constant else ".data" if any(spec.init) else ".bss"].append(spec)
    sections = []
    for name, specs in found.items():
        literals = model.literals if name == ".rodata" else ()
        if specs or literals:
            sections.append(_lay_out(name, specs, literals))
    return sections


def _lay_out(name: str, specs: list[GlobalSpec], literals: tuple[Literal, ...]) -> DataSection:
    offset, most = 0, 1
    placed, constants = [], []
    for spec in specs:
        align = align_of(spec.type)
        offset += -offset % align
        placed.append((spec, offset))
        offset += len(spec.init)
        most = max(most, align)
    for literal in literals:
        offset += -offset % literal.align
        constants.append((literal, offset))
        offset += len(literal.data)
        most = max(most, literal.align)
    return DataSection(name, placed, constants, offset, most)


def data_section(section: DataSection) -> Section:
    """The ELF section. `.bss` takes no room in the file."""
    flags = _FLAGS[section.name]
    if section.name == ".bss":
        return Section(section.name, SHT_NOBITS, flags, b"", section.align, size=section.size)
    data = bytearray(section.size)
    for spec, offset in section.globals:
        data[offset : offset + len(spec.init)] = spec.init
    for literal, offset in section.literals:
        data[offset : offset + len(literal.data)] = literal.data
    return Section(section.name, SHT_PROGBITS, flags, bytes(data), section.align)


def data_symbols(section: DataSection) -> list[Symbol]:
    """A global symbol for each variable, a local one for each literal."""
    return [
        *(Symbol(s.name, section.name, at, len(s.init), STT_OBJECT, STB_GLOBAL) for s, at in section.globals),
        *(Symbol(c.name, section.name, at, len(c.data), STT_OBJECT, STB_LOCAL) for c, at in section.literals),
    ]
