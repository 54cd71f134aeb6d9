"""An ELF object as text: its sections, symbols, relocations; its types. Reads any object, not only ours."""

from __future__ import annotations

from io import BytesIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["dump_elf", "dump_types"]

_RELOCATIONS = {1: "R_BPF_64_64", 2: "R_BPF_64_ABS64", 3: "R_BPF_64_ABS32", 4: "R_BPF_64_NODYLD32", 10: "R_BPF_64_32"}


def dump_elf(data: bytes) -> str:
    """The text, one line each. Raises ValueError when the bytes are no ELF file."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(BytesIO(data))
        return "".join([line + "\n" for line in (*_sections(elf), "", *_symbols(elf), "", *_relocations(elf))])
    except ELFError as problem:
        raise ValueError(f"not a readable ELF file: {problem}") from None


def dump_types(data: bytes) -> str:
    """The object's `.BTF` as C, then what `.BTF.ext` says of its instructions. Raises ValueError for broken ones."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    from pybpf.compiler.btf.decode import decode_btf
    from pybpf.compiler.btf.dump import dump_btf, dump_ext
    from pybpf.compiler.btf.ext import decode_ext

    try:
        elf = ELFFile(BytesIO(data))
        types, ext = elf.get_section_by_name(".BTF"), elf.get_section_by_name(".BTF.ext")
    except ELFError as problem:
        raise ValueError(f"not a readable ELF file: {problem}") from None
    if types is None:
        return ""
    btf = decode_btf(types.data())
    text = dump_btf(btf)
    return text if ext is None else f"{text}\n{dump_ext(decode_ext(ext.data(), btf.string), btf)}"


def _sections(elf: Any) -> Iterator[str]:
    yield "  nr  section                           type            offset    size  align  flags"
    for number, section in enumerate(elf.iter_sections()):
        if number:
            flags = "".join([c for bit, c in ((1, "W"), (2, "A"), (4, "X")) if section["sh_flags"] & bit])
            yield (
                f"{number:4}  {section.name:32}  {section['sh_type'][4:]:14}"
                f"{section['sh_offset']:8}{section['sh_size']:8}{section['sh_addralign']:7}  {flags}"
            ).rstrip()


def _symbols(elf: Any) -> Iterator[str]:
    yield "  nr  symbol                            section                            value    size  type"
    table = elf.get_section_by_name(".symtab")
    for number, symbol in enumerate(table.iter_symbols() if table else ()):
        if number:
            info = symbol["st_info"]
            kind = f"{info['bind'][4:].lower()} {info['type'][4:].lower()}"
            where = f"{_home(elf, symbol):32}{symbol['st_value']:8}{symbol['st_size']:8}"
            yield f"{number:4}  {symbol.name:32}  {where}  {kind}"


def _relocations(elf: Any) -> Iterator[str]:
    yield "  at      in                                type            refers to"
    symbols = elf.get_section_by_name(".symtab")
    for section in elf.iter_sections("SHT_REL"):
        target = elf.get_section(section["sh_info"]).name
        for relocation in section.iter_relocations():
            symbol = symbols.get_symbol(relocation["r_info_sym"])
            number = relocation["r_info_type"]
            kind = _RELOCATIONS.get(number, str(number))
            yield f"{relocation['r_offset']:6}    {target:32}  {kind:14}  {symbol.name or _home(elf, symbol)}"


def _home(elf: Any, symbol: Any) -> str:
    where = symbol["st_shndx"]
    return str(elf.get_section(where).name) if isinstance(where, int) else where[4:].lower()
