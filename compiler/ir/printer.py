"""The text form of the IR: `Module` or `Function` in, text out. parser.py reads it back.

    module "firewall" license "GPL"
    struct Prefix size 8 align 4 { len: u32 at 0; addr: be32 at 4; }
    map blocked LPM_TRIE#11 key Prefix value u32 entries 1024 flags 1
    global only_pid: u32 const = x"00000000"

    func firewall(%0.pkt: ptr) section "xdp" {
      slot $0.key size 8 align 4
    @entry:
      %1: ptr = slot $0.key
      store.32 [%1+0], 32
      %2: ptr = map blocked
      %3.rule: ptr = call bpf_map_lookup_elem#1(%2, %1)
      br eq %3.rule, 0, @miss, @hit
    @miss:
      ret 2
    @hit:
      %4.rule: ptr = guard %3.rule
      %5 = load.u32 [%4.rule+0]
      ...

Values are `%number.name`, slots `$number.name`, blocks `@label`; numbers follow the order of appearance, so equal
functions print the same. A result is an int unless it says `: ptr`. Operations are 64 bits wide unless they say `.32`.
`load.i16` extends the sign; `load.u32 const` reads memory that never changes; `load.u32 core 0 struct file "0:3"` is
relocated, as a `core` is that stands alone. What the text leaves out: `span`s (unless
asked for), `Function.program`, `Function.span`, `Function.context_struct` and `MapKind.since`.
"""

from __future__ import annotations

from pybpf.compiler.ir.ops import (
    ArenaCast,
    Asm,
    Atomic,
    Binary,
    Branch,
    Call,
    CallHelper,
    CallKernel,
    Cmp,
    Const,
    Extend,
    ExternAddr,
    FuncAddr,
    GlobalAddr,
    Guard,
    Hide,
    Jump,
    Load,
    MapAddr,
    MayGoto,
    Phi,
    PtrAdd,
    Relocated,
    Return,
    SlotAddr,
    Store,
    Swap,
    ToInt,
    Unreachable,
)
from pybpf.compiler.schema import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.ir.function import Function, Module, Slot
    from pybpf.compiler.ir.ops import Op, Value
    from pybpf.compiler.schema.core import CoreFact
    from pybpf.compiler.schema.specs import GlobalSpec, MapSpec

__all__ = ["Names", "print_function", "print_module", "print_op"]


def print_module(module: Module, *, spans: bool = False) -> str:
    """The whole module, with the types, maps and globals it declares."""
    named = _TypeNames()
    maps = [_map(m, named) for m in module.maps]
    variables = [_global(g, named) for g in module.globals]
    functions = [print_function(f, spans=spans, named=named) for f in module.functions]
    head = [f"module {_quoted(module.name)} license {_quoted(module.license)}"]
    head += named.declarations()
    return "\n".join(head + maps + variables) + "\n" + "".join("\n" + text for text in functions)


def print_function(function: Function, *, spans: bool = False, named: _TypeNames | None = None) -> str:
    """One function. Struct and enum types it mentions are declared by the module."""
    named = named or _TypeNames()
    names = Names(function)
    params = ", ".join(f"{names.value(p)}: {p.kind}" for p in function.params)
    head = f"func {_symbol(function.name)}({params})"
    if function.result is not None:
        head += f" -> {named(function.result)}"
    if function.param_types:
        head += f" types ({', '.join(map(named, function.param_types))})"
    head += f" section {_quoted(function.section)}{' static' if function.static else ''} {{"
    lines = [head]
    lines += [f"  slot {names.slot(s)} size {s.size} align {s.align}" for s in function.slots]
    for block in function.blocks:
        lines.append(f"@{block.label}:")
        lines += [f"  {print_op(op, names, spans=spans)}" for op in block.ops]
    return "\n".join([*lines, "}"]) + "\n"


def print_op(op: Op, names: Names, *, spans: bool = False) -> str:
    """One operation, without indentation."""
    text = _PRINT[type(op)](op, names)
    if _has_result(op):
        kind = ": ptr" if op.kind == "ptr" else ""
        text = f"{names.value(op)}{kind} = {text}"
    if spans and op.span is not None:
        s = op.span
        text += f" !{_quoted(s.source.name)} {s.line}:{s.col}-{s.end_line}:{s.end_col}"
    return text


class Names:
    """How the values, slots and blocks of one function are written."""

    def __init__(self, function: Function) -> None:
        self._values: dict[Value, str] = {}
        for param in function.params:
            self._add(param)
        for op in function.ops():
            if _has_result(op):
                self._add(op)
        self._slots = {s: f"${n}{_suffix(s.name)}" for n, s in enumerate(function.slots)}

    def _add(self, value: Value) -> None:
        self._values[value] = f"%{len(self._values)}{_suffix(value.name)}"

    def value(self, value: Value) -> str:
        """A constant's digits, or the value's name; `%?` for a value that the function does not define."""
        if type(value) is Const:
            return str(value.value)
        return self._values.get(value) or f"%?{_suffix(value.name)}"

    def slot(self, slot: Slot) -> str:
        """The slot's name; `$?` for a slot of another function."""
        return self._slots.get(slot) or f"$?{_suffix(slot.name)}"

    def list(self, values: list[Value]) -> str:
        return ", ".join(map(self.value, values))


def _has_result(op: Op) -> bool:
    return op.kind != "void" and (type(op) is not Atomic or op.fetch)


def _width(width: int) -> str:
    return "" if width == 64 else f".{width}"


def _place(addr: Value, offset: int, names: Names) -> str:
    return f"[{names.value(addr)}{offset:+}]"


def _binary(op: Binary, names: Names) -> str:
    return f"{op.op}{_width(op.width)} {names.value(op.lhs)}, {names.value(op.rhs)}"


def _cmp(op: Cmp, names: Names) -> str:
    return f"cmp{_width(op.width)} {op.pred} {names.value(op.lhs)}, {names.value(op.rhs)}"


def _load(op: Load, names: Names) -> str:
    constant = " const" if op.constant else ""
    core = "" if op.core is None else f" {_core(op.core)}"
    return f"load.{'i' if op.signed else 'u'}{op.bits}{constant}{core} {_place(op.addr, op.offset, names)}"


def _core(fact: CoreFact) -> str:
    """A fact without its value. Of the type only its name is shown."""
    tag = "enum" if isinstance(fact.type, types.EnumType) else getattr(fact.type, "tag", "struct")
    return f"core {fact.kind} {tag} {_symbol(getattr(fact.type, 'name', ''))} {_quoted(fact.access)}"


def _atomic(op: Atomic, names: Names) -> str:
    text = f"atomic{_width(op.bits)} {op.op} {_place(op.addr, op.offset, names)}, {names.value(op.value)}"
    return text if op.expected is None else f"{text}, {names.value(op.expected)}"


def _branch(op: Branch, names: Names) -> str:
    test = f"{op.pred} {names.value(op.lhs)}, {names.value(op.rhs)}"
    return f"br{_width(op.width)} {test}, @{op.then.label}, @{op.other.label}"


def _phi(op: Phi, names: Names) -> str:
    return "phi " + ", ".join(f"@{block.label}: {names.value(value)}" for block, value in op.incoming)


_PRINT: dict[type, Callable[[Any, Names], str]] = {
    Phi: _phi,
    Binary: _binary,
    PtrAdd: lambda op, names: f"ptradd {names.value(op.base)}, {names.value(op.offset)}",
    Extend: lambda op, names: f"{'sext' if op.signed else 'zext'}.{op.bits} {names.value(op.value)}",
    Swap: lambda op, names: f"swap.{op.bits} {names.value(op.value)}",
    Cmp: _cmp,
    Guard: lambda op, names: f"guard {names.value(op.value)}",
    Relocated: lambda op, names: f"{_core(op.fact)} = {op.fact.value}",
    ToInt: lambda op, names: f"toint {names.value(op.value)}",
    ArenaCast: lambda op, names: f"arenacast {names.value(op.value)}",
    Hide: lambda op, names: f"hide {names.list(op.args())}",
    Load: _load,
    Store: lambda op, names: f"store.{op.bits} {_place(op.addr, op.offset, names)}, {names.value(op.value)}",
    Atomic: _atomic,
    SlotAddr: lambda op, names: f"slot {names.slot(op.slot)}",
    MapAddr: lambda op, names: f"map {_symbol(op.symbol)}",
    GlobalAddr: lambda op, names: f"global {_symbol(op.symbol)}",
    ExternAddr: lambda op, names: f"extern {_symbol(op.symbol)}",
    FuncAddr: lambda op, names: f"func {_symbol(op.symbol)}",
    CallHelper: lambda op, names: f"call {op.helper}#{op.id}({names.list(op.arguments)})",
    Call: lambda op, names: f"call {_symbol(op.function)}({names.list(op.arguments)})",
    CallKernel: lambda op, names: f"kcall {_symbol(op.function)}({names.list(op.arguments)})",
    Asm: lambda op, names: f"asm {_quoted(op.text)}({names.list(op.inputs)})",
    Jump: lambda op, names: f"jump @{op.target.label}",
    Branch: _branch,
    MayGoto: lambda op, names: f"may_goto @{op.then.label}, @{op.other.label}",
    Return: lambda op, names: f"ret {names.value(op.value)}",
    Unreachable: lambda op, names: "unreachable",
}


def _map(m: MapSpec, named: _TypeNames) -> str:
    text = f"map {_symbol(m.name)} {m.kind.name}#{m.kind.number}"
    text += " indexed" * m.kind.indexed + " percpu" * m.kind.percpu + " unkeyed" * (not m.kind.keyed)
    if m.key is not None:
        text += f" key {named(m.key)}"
    if m.value is not None:
        text += f" value {named(m.value)}"
    text += f" entries {m.max_entries}"
    for word in ("flags", "pinning", "extra"):
        if number := getattr(m, word):
            text += f" {word} {number}"
    return text


def _global(g: GlobalSpec, named: _TypeNames) -> str:
    init = f'x"{g.init.hex()}"' if any(g.init) else f"zero {len(g.init)}"
    text = f"global {_symbol(g.name)}: {named(g.type)}{' const' if g.constant else ''}"
    if g.section:
        text += f" extern {_quoted(g.section)}{' weak' if g.weak else ''}{f' how {g.how}' if g.how else ''}"
    return f"{text} = {init}"


class _TypeNames:
    """Spells types, and collects the structs and enums met on the way, in order, each under a name of its own."""

    def __init__(self) -> None:
        self._names: dict[types.Type, str] = {}
        self._taken: dict[str, int] = {}

    def __call__(self, type: types.Type) -> str:
        match type:
            case types.StructType() | types.EnumType():
                return self._name(type)
            case types.ArrayType():
                return f"Array[{self(type.element)}, {type.length}]"
            case types.OptionalType():
                return f"Optional[{self(type.inner)}]"
            case types.TupleType():
                return f"Tuple[{', '.join(map(self, type.items))}]"
            case types.PtrType():
                return f"Ptr[{type.space}{'' if type.pointee is None else ', ' + self(type.pointee)}]"
        return str(type)

    def _name(self, type: types.StructType | types.EnumType) -> str:
        if type not in self._names:
            again = self._taken.get(type.name, 0)
            self._taken[type.name] = again + 1
            self._names[type] = f"{type.name}.{again}" if again else type.name
        return self._names[type]

    def declarations(self) -> list[str]:
        lines: list[str] = []
        done = 0
        while done < len(self._names):  # a struct's fields may name further ones
            type = list(self._names)[done]
            done += 1
            lines.append(self._struct(type) if isinstance(type, types.StructType) else self._enum(type))
        return lines

    def _struct(self, type: types.StructType) -> str:
        fields = []
        for f in type.fields:
            bits = f" bits {f.bits} from {f.bit_offset}" if f.bits else ""
            fields.append(f"{f.name}: {self(f.type)} at {f.offset}{bits};")
        word = "union" if type.union else "struct"
        return " ".join([f"{word} {self._name(type)} size {type.size} align {type.align} {{", *fields, "}"])

    def _enum(self, type: Any) -> str:
        members = "".join(f" {name} = {value};" for name, value in type.members)
        return f"enum {self._name(type)}: {type.base} {{{members} }}"


def _suffix(name: str) -> str:
    return "" if not name else f".{_symbol(name)}"


def _symbol(name: str) -> str:
    """A name as it is if it is made of words and dots, else in quotes."""
    return name if name.replace(".", "_").isidentifier() and name.isascii() else _quoted(name)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
