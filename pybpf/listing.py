"""An object's bytecode beside the source lines it comes from. In: the bytes of an object. Out: listings, text.

All is read from the object itself (symbols, `.BTF.ext` line records, relocations), so it shows any compiler's objects.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["Listing", "Row", "listings", "side_by_side"]

_WIDEST_SOURCE = 64  # columns of the source beside the code; longer lines stand above it


class Row(Record):
    """One instruction. `slot` counts 8-byte slots from the function's start, as the verifier's log does.

    `line` is 0 and `file`, `source` are "" where the object doesn't say where the instruction comes from.
    """

    slot: int
    text: str
    file: str
    line: int
    source: str


class Listing(Record):
    """One function of an object: a program, or a subprogram of section `.text`."""

    name: str
    section: str
    rows: tuple[Row, ...]


def listings(elf: bytes) -> list[Listing]:
    """The functions of an object in the order of its sections. Raises ValueError: the bytes are no BPF object."""
    import io

    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    from pybpf.compiler.btf.decode import decode_btf
    from pybpf.compiler.btf.ext import decode_ext

    try:
        file = ELFFile(io.BytesIO(elf))
        if file["e_machine"] not in ("EM_BPF", 247):
            raise ValueError("not a BPF object")
        lines: dict[str, Any] = {}
        types, ext = file.get_section_by_name(".BTF"), file.get_section_by_name(".BTF.ext")
        if types is not None and ext is not None:
            lines = decode_ext(ext.data(), decode_btf(types.data()).string).lines
        relocations = _relocations(file)
        found = []
        for number, section in enumerate(file.iter_sections()):
            for start, size, name in sorted(_functions(file, number)):
                code = section.data()[start : start + size]
                own = [(at.offset, at) for at in lines.get(section.name, ()) if start <= at.offset < start + size]
                rows = tuple(_rows(code, start, dict(own), relocations.get(number, {})))
                found.append(Listing(name, section.name, rows))
        return found
    except ELFError as problem:
        raise ValueError(f"not a readable ELF file: {problem}") from None


def _functions(file: Any, section: int) -> Iterator[tuple[int, int, str]]:
    symbols = file.get_section_by_name(".symtab")
    for symbol in symbols.iter_symbols() if symbols else ():
        if symbol["st_shndx"] == section and symbol["st_info"]["type"] == "STT_FUNC":
            yield symbol["st_value"], symbol["st_size"], symbol.name


def _relocations(file: Any) -> dict[int, dict[int, str]]:
    """Section number -> offset -> name of the symbol that the instruction there refers to."""
    symbols = file.get_section_by_name(".symtab")
    found: dict[int, dict[int, str]] = {}
    for section in file.iter_sections("SHT_REL"):
        into = found.setdefault(section["sh_info"], {})
        for relocation in section.iter_relocations():
            symbol = symbols.get_symbol(relocation["r_info_sym"])
            home = symbol["st_shndx"]
            into[relocation["r_offset"]] = symbol.name or (file.get_section(home).name if isinstance(home, int) else "")
    return found


def _rows(code: bytes, start: int, lines: dict[int, Any], relocations: dict[int, str]) -> Iterator[Row]:
    from pybpf.compiler.isa.disasm import disassemble
    from pybpf.compiler.isa.insn import decode
    from pybpf.stdlib.helpers import names

    helpers = dict(enumerate(names(), 1))  # helpers are numbered from 1, without gaps
    slot, at = 0, None
    for insn in decode(code):
        offset = start + 8 * slot
        at = lines.get(offset, at)
        text = disassemble(insn, helpers)
        if offset in relocations:
            text += f"  ; {relocations[offset]}"
        yield Row(slot, text, at.file, at.line, at.text) if at else Row(slot, text, "", 0, "")
        slot += insn.slots


def side_by_side(found: list[Listing]) -> str:
    """Text: for each function a heading, then its source on the left and its bytecode on the right."""
    from pybpf.compiler.diagnostics.screen import cells, shown

    out: list[str] = []
    for listing in found:
        count = len(listing.rows)
        out.append(f"{listing.name}: {listing.section}, {count} instruction{'s' * (count != 1)}")
        files = {row.file for row in listing.rows if row.file}
        labels = []
        before: tuple[str, int] | None = None
        for row in listing.rows:
            place = (row.file, row.line)
            where = f"{row.file}:{row.line}" if len(files) > 1 else str(row.line)
            labels.append(f"{where:>4}  {shown(row.source.rstrip())}" if row.line and place != before else "")
            before = place
        widths = [cells(label) for label in labels]
        widest = max([width for width in widths if width <= _WIDEST_SOURCE], default=0)
        for label, width, row in zip(labels, widths, listing.rows):
            if width > widest:
                out.append(label)
                label, width = "", 0
            out.append(f"{label}{' ' * (widest - width)}  {row.slot:4}: {row.text}".rstrip())
        out.append("")
    return "\n".join(out).rstrip("\n")
