"""`write_object`: a model -> the bytes of an object file that every loader takes.

The same model gives the same bytes anywhere: everything is written in the model's order, and nothing of the machine or
the time goes in.
"""

from __future__ import annotations

from pybpf.compiler.elf.check import check_model
from pybpf.compiler.elf.code import code_sections, code_symbols, place_functions
from pybpf.compiler.elf.data import data_section, data_sections, data_symbols
from pybpf.compiler.elf.image import (
    SHF_ALLOC,
    SHF_WRITE,
    SHT_PROGBITS,
    STB_GLOBAL,
    STB_WEAK,
    STT_NOTYPE,
    STT_OBJECT,
    Section,
    Symbol,
    object_bytes,
)
from pybpf.compiler.elf.info import type_info
from pybpf.compiler.elf.maps import map_section, map_symbols
from pybpf.compiler.elf.names import LICENSE_SYMBOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.elf.model import ObjectModel

__all__ = ["write_object"]


def write_object(model: ObjectModel) -> bytes:
    """The object file. Raises AssertionError for a model that breaks the rules of `model.py`."""
    check_model(model)
    placed = place_functions(model)
    data = data_sections(model)
    info = type_info(model, placed, data)

    sections = code_sections(placed, info.ids)
    symbols = code_symbols(placed)
    if model.maps:
        sections.append(map_section(model.maps, info.map_sizes))
        symbols += map_symbols(model.maps, info.map_sizes)
    if model.ops:
        from pybpf.compiler.elf.ops import ops_section, ops_symbols, place_ops

        tables = place_ops(model.ops)
        sections.append(ops_section(tables))
        symbols += ops_symbols(tables)
    for part in data:
        sections.append(data_section(part))
        symbols += data_symbols(part)
    text = model.license.encode() + b"\0"
    sections.append(Section("license", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, text, 1))
    symbols.append(Symbol(LICENSE_SYMBOL, "license", 0, len(text), STT_OBJECT))
    sections.append(Section(".BTF", SHT_PROGBITS, 0, info.btf, 4))
    sections.append(Section(".BTF.ext", SHT_PROGBITS, 0, info.ext, 4))
    for extern in model.externs:
        symbols.append(Symbol(extern.name, "", 0, 0, STT_NOTYPE, STB_WEAK if extern.weak else STB_GLOBAL))
    return object_bytes(sections, symbols)
