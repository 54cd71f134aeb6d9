"""The `.BTF` and `.BTF.ext` of a model: types of functions, maps and variables; source lines; CO-RE relocations."""

from __future__ import annotations

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.build import TypeBuilder
from pybpf.compiler.btf.encode import btf_section, encode_types
from pybpf.compiler.btf.ext import BtfExt, CoreInfo, FuncInfo, LineInfo, encode_ext
from pybpf.compiler.btf.local import LocalTypes
from pybpf.compiler.btf.strings import StringTable
from pybpf.compiler.elf.check import LD_IMM64
from pybpf.compiler.elf.maps import MAPS, map_definition
from pybpf.compiler.elf.names import LICENSE_SYMBOL
from pybpf.compiler.schema.core import TYPE_ID_LOCAL, TYPE_ID_TARGET
from pybpf.compiler.schema.types import NoneType, PtrType, TextType, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.elf.code import Place
    from pybpf.compiler.elf.data import DataSection
    from pybpf.compiler.elf.model import ExternSpec, ObjectFunction, ObjectModel, Param

__all__ = ["TypeInfo", "type_info"]

_LINKAGE = {"static": t.STATIC, "global": t.GLOBAL}


class TypeInfo:
    """The sections' bytes; the size of each map's definition, which its symbol must have; and the id of the local type
    that an instruction holds, by the instruction's section and offset there.
    """

    def __init__(self, btf: bytes, ext: bytes, map_sizes: list[int], ids: dict[tuple[str, int], int]) -> None:
        self.btf = btf
        self.ext = ext
        self.map_sizes = map_sizes
        self.ids = ids


def type_info(model: ObjectModel, placed: dict[str, list[Place]], data: list[DataSection]) -> TypeInfo:
    """Describe the model; `placed` and `data` say where things lie in their sections."""
    builder = TypeBuilder()
    ids: dict[tuple[str, int], int] = {}
    ext = _function_info(builder, placed, ids)
    map_sizes = _add_maps(builder, model)
    if model.ops:
        from pybpf.compiler.elf.ops import ops_types, place_ops

        ops_types(builder, place_ops(model.ops))
    for section in data:
        _add_data(builder, section)
    license_size = len(model.license.encode()) + 1
    license_var = builder.add(t.Var(LICENSE_SYMBOL, builder.array(builder.char(), license_size), t.GLOBAL))
    builder.add(t.Datasec("license", license_size, (t.SectionVar(license_var, 0, license_size),)))
    _add_externs(builder, model.externs)
    strings = StringTable()
    types = encode_types(builder.types, strings)
    extra = encode_ext(ext, strings)
    return TypeInfo(btf_section(types, strings), extra, map_sizes, ids)


def _function_info(builder: TypeBuilder, placed: dict[str, list[Place]], ids: dict[tuple[str, int], int]) -> BtfExt:
    """The records of all functions: libbpf refuses an object where one subprogram lacks them."""
    ext = BtfExt({}, {}, {})
    local = LocalTypes(builder, [r for places in placed.values() for place in places for r in place.function.core])
    for section, places in placed.items():
        funcs = ext.funcs[section] = []
        lines: list[LineInfo] = []
        core: list[CoreInfo] = []
        for place in places:
            funcs.append(FuncInfo(place.start, _add_function(builder, place.function)))
            _add_lines(lines, place)
            for relo in place.function.core:
                at, type_ = place.start + relo.offset, local.of(relo.type)
                core.append(CoreInfo(at, type_, local.access(relo.type, relo.access, relo.kind), relo.kind))
                if relo.kind in (TYPE_ID_LOCAL, TYPE_ID_TARGET):
                    ids[section, at] = type_
        core.sort(key=lambda relo: relo.offset)
        ext.lines[section] = lines
        ext.core[section] = core
    return ext


def _add_lines(lines: list[LineInfo], place: Place) -> None:
    """Append a function's line records, moved to the section's offsets.

    The kernel wants the first at the function's first instruction, and each at an instruction of its own, never at the
    second half of a 64-bit load. Records that repeat the one before are left out.
    """
    code, first, last = place.function.code, True, -1
    for line in place.function.lines:
        offset = 0 if first else line.offset
        info = LineInfo(place.start + offset, line.file, line.text, line.line, line.column)
        if first:
            lines.append(info)
        elif offset == last:
            lines[-1] = info  # the later of two records is the one that holds
        elif not _second_half(code, offset) and not _same_line(lines[-1], info):
            lines.append(info)
        else:
            continue
        first, last = False, offset


def _same_line(one: LineInfo, other: LineInfo) -> bool:
    return one.line == other.line and one.column == other.column and one.file == other.file and one.text == other.text


def _second_half(code: bytes, offset: int) -> bool:
    return offset >= 8 and code[offset] == 0 and code[offset - 8] == LD_IMM64


def _add_function(builder: TypeBuilder, function: ObjectFunction) -> int:
    proto = _prototype(builder, function.params, builder.of(function.result))
    number = builder.add(t.Func(function.name, proto, _LINKAGE[function.linkage]))
    for index, param in enumerate(function.params):
        for tag in param.tags:
            builder.add(t.DeclTag(tag, number, index))
    return number


def _prototype(builder: TypeBuilder, params: tuple[Param, ...], result: int) -> int:
    parameters = []
    for param in params:
        if isinstance(param.type, str):
            type_ = builder.add(t.Ptr(builder.named_struct(param.type)))
        elif isinstance(param.type, PtrType) and param.type.pointee == TextType(0):  # a string of any length
            type_ = builder.add(t.Ptr(builder.char()))
        else:
            type_ = builder.of(param.type)
        parameters.append(t.Parameter(param.name, type_))
    return builder.prototype(parameters, result)


def _add_maps(builder: TypeBuilder, model: ObjectModel) -> list[int]:
    vars_, sizes, offset = [], [], 0
    for map_ in model.maps:
        definition, size = map_definition(builder, map_)
        number = builder.add(t.Var(map_.name, definition, t.GLOBAL))
        vars_.append(t.SectionVar(number, offset, size))
        sizes.append(size)
        offset += size
    if vars_:
        builder.add(t.Datasec(MAPS, offset, tuple(vars_)))
    return sizes


def _add_data(builder: TypeBuilder, section: DataSection) -> None:
    """Describe the section's variables; one of literals only needs no description."""
    vars_ = []
    for spec, offset in section.globals:
        type_ = builder.of(spec.type)
        if spec.constant:  # volatile, as in C: the loader may change it before the program is loaded
            type_ = builder.add(t.Const(builder.add(t.Volatile(type_))))
        number = builder.add(t.Var(spec.name, type_, t.GLOBAL))
        vars_.append(t.SectionVar(number, offset, len(spec.init)))
    if vars_:
        builder.add(t.Datasec(section.name, section.size, tuple(vars_)))


def _add_externs(builder: TypeBuilder, externs: tuple[ExternSpec, ...]) -> None:
    """Describe what the loader supplies; it also fills in the offsets (libbpf, bpf_object__collect_externs)."""
    sections: dict[str, list[t.SectionVar]] = {}
    for extern in externs:
        result = builder.of(extern.result)
        if extern.params is None:
            typed = not isinstance(extern.result, NoneType)
            kind = result if typed else builder.add(t.Const(0))  # `const void`: the loader asks kallsyms
            number, size = builder.add(t.Var(extern.name, kind, t.EXTERN)), size_of(extern.result) if typed else 0
        else:
            proto = _prototype(builder, extern.params, result)
            number, size = builder.add(t.Func(extern.name, proto, t.EXTERN)), 0
        sections.setdefault(extern.section, []).append(t.SectionVar(number, 0, size))
    for name, vars_ in sections.items():
        builder.add(t.Datasec(name, 0, tuple(vars_)))
