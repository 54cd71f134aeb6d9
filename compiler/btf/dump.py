"""BTF types as C declarations, one block a type, in the order of their ids.

    [4]  typedef unsigned short __be16;
    [5]  struct Event {  // 8 bytes
             unsigned int pid;  // at 0
         };
    [9]  section .rodata {  // 4 bytes
             only_pid;  // [8] at 0, 4 bytes
         };

Types without a name (pointers, arrays, prototypes) appear where they are used.
"""

from __future__ import annotations

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.types import BtfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pybpf.compiler.btf.ext import BtfExt

__all__ = ["declare", "dump_btf", "dump_ext"]

_QUALIFIERS = (t.Const, t.Volatile, t.Restrict, t.TypeTag)
_LINKAGE = {t.STATIC: "static ", t.GLOBAL: "", t.EXTERN: "extern "}
_CORE_KINDS = (
    "field_byte_offset", "field_byte_size", "field_exists", "field_signed", "field_lshift_u64", "field_rshift_u64",
    "type_id_local", "type_id_target", "type_exists", "type_size", "enumval_exists", "enumval_value", "type_matches",
)  # fmt: skip


def dump_btf(types: Sequence[t.BtfType]) -> str:
    """All types that stand on their own, as text. Raises BtfError for references that lead nowhere or in circles."""
    width = len(str(len(types))) + 3
    lines = []
    for number in range(1, len(types)):
        label = f"[{number}]"
        try:
            for line in _block(types, types[number]):
                lines.append(f"{label:{width}} {line}")
                label = ""
        except RecursionError:
            raise BtfError(f"BTF type [{number}]: it holds itself") from None
    return "".join([line + "\n" for line in lines])


def dump_ext(ext: BtfExt, types: Sequence[t.BtfType]) -> str:
    """The functions, source lines and CO-RE relocations of each section, as text. Offsets are in bytes."""
    lines = []
    for section, funcs in ext.funcs.items():
        lines.append(f"functions of {section}:")
        lines += [f"    {info.offset:6} {_function(types, _at(types, info.type))}" for info in funcs]
    for section, infos in ext.lines.items():
        lines.append(f"lines of {section}:")
        lines += [f"    {i.offset:6} {i.file}:{i.line}:{i.column}: {i.text.strip()}" for i in infos]
    for section, relos in ext.core.items():
        lines.append(f"CO-RE relocations of {section}:")
        for relo in relos:
            known = relo.relocation < len(_CORE_KINDS)
            kind = _CORE_KINDS[relo.relocation] if known else f"kind {relo.relocation}"
            lines.append(f"    {relo.offset:6} {kind} {declare(types, relo.type, '')} {relo.access}")
    return "".join([line + "\n" for line in lines])


def declare(types: Sequence[t.BtfType], number: int, name: str) -> str:
    """C's declaration of `name` with type `number`: `char comm[16]`. An empty name gives the bare type."""
    before, after = "", ""
    words: list[str] = []
    for _ in range(64):
        item = _at(types, number)
        if isinstance(item, t.Ptr):
            before, number = "*" + before, item.type
        elif isinstance(item, (t.Array, t.FuncProto)):
            if before.startswith("*"):  # what follows the name binds first
                before, after = "(" + before, after + ")"
            if isinstance(item, t.Array):
                after, number = f"{after}[{item.length}]", item.element
            else:
                after, number = f"{after}({_parameters(types, item)})", item.result
        elif isinstance(item, _QUALIFIERS):
            word = _qualifier(item)
            number = item.type
            if isinstance(_unqualified(types, number), t.Ptr):
                before = f"{word} {before}"
            else:
                words.append(word)
        else:
            declarator = (before + name + after).strip()
            return " ".join([*words, _base(types, item), *([declarator] if declarator else [])])
    raise BtfError(f"BTF type [{number}]: types refer to each other in a circle")


def _unqualified(types: Sequence[t.BtfType], number: int) -> t.BtfType:
    for _ in range(64):
        item = _at(types, number)
        if not isinstance(item, _QUALIFIERS):
            return item
        number = item.type
    raise BtfError(f"BTF type [{number}]: types refer to each other in a circle")


def _qualifier(item: t.BtfType) -> str:
    if isinstance(item, t.TypeTag):
        tag = item.tag if item.attribute else f'btf_type_tag("{item.tag}")'
        return f"__attribute__(({tag}))"
    return type(item).__name__.lower()


def _at(types: Sequence[t.BtfType], number: int) -> t.BtfType:
    if number >= len(types):
        raise BtfError(f"there is no BTF type [{number}]")
    return types[number]


def _base(types: Sequence[t.BtfType], item: t.BtfType) -> str:
    """A type's name where it is used."""
    if isinstance(item, (t.Struct, t.Union)):
        word = "struct" if isinstance(item, t.Struct) else "union"
        if item.name:
            return f"{word} {item.name}"
        inner = " ".join([f"{declare(types, m.type, m.name)}{f' : {m.bits}' if m.bits else ''};" for m in item.members])
        return f"{word} {{ {inner} }}"
    if isinstance(item, t.Fwd):
        return f"{'union' if item.union else 'struct'} {item.name}"
    if isinstance(item, (t.Enum, t.Enum64)):
        return f"enum {item.name}" if item.name else f"enum {{ {', '.join([f'{n} = {v}' for n, v in item.values])} }}"
    if isinstance(item, (t.Int, t.Float, t.Typedef)):
        return item.name
    if isinstance(item, t.Void):
        return "void"
    raise BtfError(f"a {type(item).__name__} where a type is expected")


def _parameters(types: Sequence[t.BtfType], item: t.FuncProto) -> str:
    if not item.params:
        return "void"
    return ", ".join([declare(types, p.type, p.name) if p.type or p.name else "..." for p in item.params])


def _function(types: Sequence[t.BtfType], item: t.BtfType) -> str:
    if not isinstance(item, t.Func):
        raise BtfError(f"a {type(item).__name__} where a function is expected")
    return _LINKAGE.get(item.linkage, "") + declare(types, item.type, item.name)


def _block(types: Sequence[t.BtfType], item: t.BtfType) -> Iterator[str]:
    """The lines of a type that is shown on its own; none for one that is shown where it is used."""
    if isinstance(item, (t.Struct, t.Union)):
        yield f"{_base(types, item) if item.name else type(item).__name__.lower()} {{  // {item.size} bytes"
        for member in item.members:
            bits = f" : {member.bits}" if member.bits else ""
            at = f"{member.offset // 8}" + (f", bit {member.offset % 8}" if member.offset % 8 else "")
            yield f"    {declare(types, member.type, member.name)}{bits};  // at {at}"
        yield "};"
    elif isinstance(item, (t.Enum, t.Enum64)):
        yield f"enum {item.name}{' ' if item.name else ''}{{  // {item.size} bytes"
        for name, value in item.values:
            yield f"    {name} = {value},"
        yield "};"
    elif isinstance(item, (t.Int, t.Float)):
        yield f"{item.name};  // {item.size} bytes{_encoding(item)}"
    elif isinstance(item, t.Fwd):
        yield f"{_base(types, item)};"
    elif isinstance(item, t.Typedef):
        yield f"typedef {declare(types, item.type, item.name)};"
    elif isinstance(item, t.Func):
        yield f"{_function(types, item)};"
    elif isinstance(item, t.Var):
        yield f"{_LINKAGE.get(item.linkage, '')}{declare(types, item.type, item.name)};"
    elif isinstance(item, t.Datasec):
        yield f"section {item.name} {{  // {item.size} bytes"
        for var in item.vars:
            yield f"    {getattr(_at(types, var.type), 'name', '')};  // [{var.type}] at {var.offset}, {var.size} bytes"
        yield "};"
    elif isinstance(item, t.DeclTag):
        where = f", part {item.index}" if item.index >= 0 else ""
        yield f'btf_decl_tag("{item.tag}") on [{item.type}]{where};'


def _encoding(item: t.Int | t.Float) -> str:
    if isinstance(item, t.Float):
        return ""
    words = [word for flag, word in ((1, "signed"), (2, "char"), (4, "bool")) if item.encoding & flag]
    return "".join([", " + word for word in words]) + (f", {item.bits} bits" if item.bits != item.size * 8 else "")
