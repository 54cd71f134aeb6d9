"""Functions -> program sections: code one after the other, symbols, relocations.

A section holds all programs of its name; `.text` holds the subprograms, without gaps. How a reference is written is
what libbpf and cilium/ebpf both take: by the symbol of what is global; by the section's symbol, with the place in the
immediate, of what is static.
"""

from __future__ import annotations

from pybpf.compiler.elf.image import (
    R_BPF_64_32,
    R_BPF_64_64,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHT_PROGBITS,
    STB_GLOBAL,
    STB_LOCAL,
    STT_FUNC,
    STT_SECTION,
    Relocation,
    Section,
    Symbol,
)
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.elf.model import ObjectFunction, ObjectModel, Reloc

__all__ = ["Place", "code_sections", "code_symbols", "place_functions"]

TEXT = ".text"


class Place(Record):
    """A function and where it starts, in bytes from the start of its section."""

    function: ObjectFunction
    start: int


def place_functions(model: ObjectModel) -> dict[str, list[Place]]:
    """The functions of each section; `.text` first, the others in the order of their first function."""
    sections: dict[str, list[Place]] = {}
    if any(function.section == TEXT for function in model.functions):
        sections[TEXT] = []
    for function in model.functions:
        places = sections.setdefault(function.section, [])
        start = places[-1].start + len(places[-1].function.code) if places else 0
        places.append(Place(function, start))
    return sections


def code_sections(placed: dict[str, list[Place]], ids: dict[tuple[str, int], int]) -> list[Section]:
    """The program sections. `ids` are the type ids that instructions hold, by section and offset."""
    statics = {p.function.name: p.start for p in placed.get(TEXT, ()) if p.function.linkage == "static"}
    sections = []
    for name, places in placed.items():
        code = bytearray()
        relocations = []
        for place in places:
            code += place.function.code
            for reloc in place.function.relocs:
                relocations.append(_relocate(code, place.start + reloc.offset, reloc, statics))
        relocations.sort(key=lambda r: r.offset)
        for (section, at), number in ids.items():
            if section == name:
                code[at + 4 : at + 8] = number.to_bytes(4, "little")
        flags = SHF_ALLOC | SHF_EXECINSTR
        sections.append(Section(name, SHT_PROGBITS, flags, bytes(code), 8, tuple(relocations)))
    return sections


def _relocate(code: bytearray, at: int, reloc: Reloc, statics: dict[str, int]) -> Relocation:
    """The relocation of the instruction at `at` of `code`, whose immediate is made to match."""
    if reloc.kind in ("call", "extern"):
        start = statics.get(reloc.symbol)
        # the immediate counts instructions from the one after the call; -1 is what the symbol is added to
        immediate = -1 if start is None else start // 8 - 1
        code[at + 4 : at + 8] = immediate.to_bytes(4, "little", signed=True)
        return Relocation(at, reloc.symbol if start is None else TEXT, R_BPF_64_32)
    if reloc.kind == "callback":
        code[at + 4 : at + 8] = statics[reloc.symbol].to_bytes(4, "little")
        return Relocation(at, TEXT, R_BPF_64_64)
    return Relocation(at, reloc.symbol, R_BPF_64_64)


def code_symbols(placed: dict[str, list[Place]]) -> list[Symbol]:
    """A symbol for each function, and that of `.text` where static subprograms are referred to through it."""
    symbols = []
    for name, places in placed.items():
        if name == TEXT and any(place.function.linkage == "static" for place in places):
            symbols.append(Symbol("", TEXT, 0, 0, STT_SECTION, STB_LOCAL))
        for place in places:
            function = place.function
            binding = STB_LOCAL if function.linkage == "static" else STB_GLOBAL
            symbols.append(Symbol(function.name, name, place.start, len(function.code), STT_FUNC, binding))
    return symbols
