"""Reads the IR's text form: text in, `Module` or `Function` out. printer.py describes the form and writes it.

What is read prints as the same text again. Hand-written text may be looser: `%name` and `$name` without a number (the
name must then be unique in its function), spaces and line breaks anywhere, comments from `//` to the end of the line.
The result is as well formed as the text was: run checker.py on it. Text that is not IR raises `IrSyntaxError`.
"""

from __future__ import annotations

from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import VisitError

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Block, Function, Module, Slot
from pybpf.compiler.schema import types
from pybpf.compiler.schema.core import CoreFact
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.record import Record, replace
from pybpf.compiler.schema.span import Source, Span
from pybpf.compiler.schema.specs import GlobalSpec, MapKind, MapSpec

__all__ = ["IrSyntaxError", "parse_function", "parse_module"]

GRAMMAR = r"""
module: "module" STRING "license" STRING (struct | enum | map | variable)* function*

struct: (STRUCT | UNION) name "size" INT "align" INT "{" field* "}"
field: name ":" type "at" INT ["bits" INT "from" INT] ";"
enum: "enum" name ":" name "{" (member ";")* "}"
member: name "=" INT
type: name ["[" (type | INT) ("," (type | INT))* "]"]

map: "map" name name "#" INT [INDEXED] [PERCPU] [UNKEYED] ["key" type] ["value" type] _numbers
_numbers: "entries" INT ["flags" INT] ["pinning" INT] ["extra" INT]
variable: "global" name ":" type [CONST] ["extern" STRING [WEAK] ["how" NAME]] "=" (HEX | "zero" INT)

function: "func" name params ["->" type] [types] "section" STRING [STATIC] "{" slots block+ "}"
params: "(" (param ("," param)*)? ")"
slots: slot*
param: VALUE ":" KIND
types: "types" "(" type ("," type)* ")"
slot: "slot" SLOT "size" INT "align" INT
block: LABEL ":" line*

line: [result] op [span]
result: VALUE [":" KIND] "="
span: "!" STRING INT ":" INT "-" INT ":" INT
?op: "phi" incoming ("," incoming)*                      -> phi
   | BINARY [WIDTH] operand "," operand                  -> binary
   | "ptradd" operand "," operand                        -> ptradd
   | EXTEND INT operand                                  -> extend
   | "swap." INT operand                                 -> swap
   | "cmp" [WIDTH] PRED operand "," operand              -> cmp
   | "guard" operand                                     -> guard
   | "hide" operand ["," operand]                        -> hide
   | LOAD INT [CONST] [core] "[" operand OFFSET "]"      -> load
   | core "=" INT                                        -> relocated
   | "toint" operand                                     -> toint
   | "arenacast" operand                                 -> arenacast
   | "store." INT "[" operand OFFSET "]" "," operand     -> store
   | "atomic" [WIDTH] ATOMIC "[" operand OFFSET "]" "," operand ["," operand]  -> atomic
   | "slot" SLOT                                         -> slotaddr
   | "map" name                                          -> mapaddr
   | "global" name                                       -> globaladdr
   | "extern" name                                       -> externaddr
   | "func" name                                         -> funcaddr
   | "call" name ["#" INT] "(" (operand ("," operand)*)? ")"  -> call
   | "kcall" name "(" (operand ("," operand)*)? ")"      -> kcall
   | "asm" STRING "(" (operand ("," operand)*)? ")"      -> asm
   | "jump" LABEL                                        -> jump
   | "br" [WIDTH] PRED operand "," operand "," LABEL "," LABEL  -> branch
   | "may_goto" LABEL "," LABEL                          -> may_goto
   | "ret" operand                                       -> ret
   | "unreachable"                                       -> unreachable
core: "core" INT (STRUCT | UNION | ENUM | TYPEDEF) name STRING
incoming: LABEL ":" operand
operand: VALUE | INT
name: NAME | STRING

STRUCT: "struct"
UNION: "union"
ENUM: "enum"
TYPEDEF: "typedef"
INDEXED: "indexed"
PERCPU: "percpu"
UNKEYED: "unkeyed"
CONST: "const"
WEAK: "weak"
STATIC: "static"
KIND: "int" | "ptr"
EXTEND: "zext." | "sext."
LOAD: "load.u" | "load.i"
BINARY: /add|sub|mul|udiv|umod|sdiv|smod|and|or|xor|shl|lshr|ashr/
ATOMIC: /add|and|or|xor|xchg|cmpxchg/
PRED: /eq|ne|ult|ule|ugt|uge|slt|sle|sgt|sge|set/
WIDTH: /\.(32|64)/
INT: /-?\d+/
OFFSET: /[+-]\d+/
NAME.-1: /[A-Za-z_][\w.]*/
STRING: /"([^"\\\n]|\\.)*"/
HEX: /x"[0-9a-f]*"/
LABEL: /@[\w.]+/
VALUE: /%(\?|\d+|(?=[A-Za-z_]))(\.?([A-Za-z_][\w.]*|"([^"\\\n]|\\.)*"))?/
SLOT: /\$(\?|\d+|(?=[A-Za-z_]))(\.?([A-Za-z_][\w.]*|"([^"\\\n]|\\.)*"))?/
%ignore /[ \t\n]+/
%ignore /\/\/[^\n]*/
"""


class IrSyntaxError(ValueError):
    """The text is not IR; the message says where and what was expected."""


def parse_module(text: str) -> Module:
    """Read a whole module."""
    return _parse(text, "module")  # type: ignore[no-any-return]


def parse_function(text: str) -> Function:
    """Read one function (its types may name only built-in ones)."""
    build: _Function = _parse(text, "function")
    return build.finish(_Types([]))


def _parse(text: str, start: str) -> Any:
    try:
        tree = _lark().parse(text, start=start)
    except UnexpectedInput as error:
        raise IrSyntaxError(f"line {error.line}:\n{error.get_context(text)}{error}") from None
    try:
        return _Builder().transform(tree)
    except VisitError as error:
        raise error.orig_exc from None


_made: list[Lark] = []


def _lark() -> Lark:
    if not _made:
        _made.append(Lark(GRAMMAR, parser="lalr", start=["module", "function"], maybe_placeholders=True))
    return _made[0]


class _Ref(ops.Value):
    """Stands for a value that may be defined further down."""

    key: str


class _Types:
    """The module's structs and enums by name; resolves type syntax, `(name, arguments)`."""

    def __init__(self, declared: list[Any]) -> None:
        self.known: dict[str, types.Type] = {
            str(t): t
            for t in (types.NONE, types.BOOL, types.U8, types.U16, types.U32, types.U64,
                      types.I8, types.I16, types.I32, types.I64,
                      *(types.IntType(bits, big=True) for bits in (16, 32, 64)))
        }  # fmt: skip
        for word, name, *rest in declared:  # structs may refer to each other: names first, then fields
            if word == "enum":
                base, members = rest
                self.known[name] = types.EnumType(_base(name), self.known[base], members)  # type: ignore[arg-type]
            else:
                self.known[name] = types.StructType(_base(name), (), rest[0], rest[1], word == "union")
        for word, name, *rest in declared:
            if word != "enum":
                fields = tuple(types.Field(n, self(t), *numbers) for n, t, *numbers in rest[2])
                self.known[name].fields = fields  # type: ignore[attr-defined]

    def __call__(self, syntax: Any) -> Any:
        """The type of the syntax; None for None."""
        if syntax is None:
            return None
        name, args = syntax
        match name:
            case "Array":
                return types.ArrayType(self(args[0]), args[1])
            case "Text":
                return types.TextType(args[0])
            case "Bytes":
                return types.BytesType(args[0])
            case "Optional":
                return types.OptionalType(self(args[0]))
            case "Tuple":
                return types.TupleType(tuple(map(self, args)))
            case "Ptr":
                return types.PtrType(self(args[1]) if len(args) > 1 else None, args[0][0])
        if name not in self.known:
            raise IrSyntaxError(f"unknown type {name}")
        return self.known[name]


def _base(name: str) -> str:
    """`Open` of `Open.1`, the second struct of that name."""
    stem, dot, number = name.rpartition(".")
    return stem if dot and number.isdigit() else name


class _Function(Record):
    """A function whose names are still to be resolved."""

    head: tuple[Any, ...]  # name, result, types, section, static
    params: list[tuple[str, str]]
    slots: list[tuple[str, int, int]]
    blocks: list[tuple[str, list[tuple[str | None, ops.Op]]]]

    def finish(self, named: _Types) -> Function:
        name, result, shown, section, static = self.head
        values: dict[str, ops.Value] = {}
        slots: dict[str, Slot] = {}
        blocks: dict[str, Block] = {}
        params = []
        for index, (written, kind) in enumerate(self.params):
            params.append(ops.Param(index, kind, _plain(written)))
            _define(values, written, params[-1])
        for written, size, align in self.slots:
            _define(slots, written, Slot(_plain(written), size, align))
        for label, lines in self.blocks:
            _define(blocks, label, Block(label[1:], [op for _, op in lines]))
            for key, op in lines:
                if key is not None:
                    _define(values, key, op)

        def value(ref: Any) -> Any:
            return _find(values, ref.key) if type(ref) is _Ref else ref

        for block in blocks.values():
            for op in block.ops:
                op.map_args(value)
                match op:
                    case ops.SlotAddr():
                        op.slot = _find(slots, op.slot)
                    case ops.Jump():
                        op.target = _find(blocks, op.target)
                    case ops.Branch() | ops.MayGoto():
                        op.then, op.other = _find(blocks, op.then), _find(blocks, op.other)
                    case ops.Phi():
                        op.incoming = [(_find(blocks, b), v) for b, v in op.incoming]
        return Function(
            name, section, params, list(blocks.values()), list(slots.values()), None, static,
            named(result), tuple(map(named, shown or ())),
        )  # fmt: skip


def _key(written: str) -> str:
    """What identifies a value or slot: `%3` of `%3.rule`; all of `%rule`."""
    return written.split(".")[0] if written[1].isdigit() else written


def _plain(written: str) -> str:
    """Its name: `rule` of both."""
    name = written.partition(".")[2] if written[1].isdigit() else written[1:]
    return _unquoted(name) if name.startswith('"') else name


def _define(table: dict[str, Any], written: str, what: Any) -> None:
    key = _key(written)
    if key in table:
        raise IrSyntaxError(f"{key} is defined twice")
    table[key] = what


def _find(table: dict[str, Any], written: Any) -> Any:
    key = _key(written)
    if key not in table:
        raise IrSyntaxError(f"{written} is not defined")
    return table[key]


def _unquoted(text: str) -> str:
    return text[1:-1].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """One method a grammar rule; a `?` argument may be None where the text leaves it out."""

    def INT(self, token: Token) -> int:
        return int(token)

    OFFSET = INT

    def STRING(self, token: Token) -> str:
        return _unquoted(token)

    def WIDTH(self, token: Token) -> int:
        return int(token[1:])

    def _text(self, token: Token) -> str:
        return str(token)

    NAME = VALUE = SLOT = LABEL = KIND = BINARY = ATOMIC = PRED = EXTEND = LOAD = _text
    STRUCT = UNION = ENUM = TYPEDEF = _text

    def __init__(self) -> None:
        super().__init__()
        self.kernel: dict[str, types.Type] = {}

    def module(self, name: str, license: str, *items: Any) -> Module:
        def those(*words: str) -> list[Any]:
            return [i for i in items if type(i) is tuple and i[0] in words]

        named = _Types(those("struct", "union", "enum"))
        maps = [
            MapSpec(symbol, MapKind(kind, number, not unkeyed, bool(indexed), bool(percpu)), named(key), named(value),
                    entries, flags or 0, pinning or 0, extra or 0)
            for _, symbol, kind, number, indexed, percpu, unkeyed, key, value, entries, flags, pinning, extra
            in those("map")
        ]  # fmt: skip
        variables = [
            GlobalSpec(
                symbol,
                named(kind),
                bytes(init) if isinstance(init, int) else bytes.fromhex(init[2:-1]),
                bool(c),
                section or "",
                bool(weak),
                how or "",
            )
            for _, symbol, kind, c, section, weak, how, init in those("global")
        ]
        functions = [i.finish(named) for i in items if type(i) is _Function]
        return Module(functions, maps, variables, license, name)

    def struct(self, word: str, name: str, size: int, align: int, *fields: Any) -> Any:
        return word, name, size, align, fields

    def field(self, name: str, type: Any, offset: int, bits: int | None, start: int | None) -> Any:
        return name, type, offset, bits or 0, start or 0

    def enum(self, name: str, base: str, *members: Any) -> Any:
        return "enum", name, base, members

    def member(self, name: str, value: int) -> Any:
        return name, value

    def type(self, name: str, *args: Any) -> Any:
        return name, [a for a in args if a is not None]

    def map(self, *parts: Any) -> Any:
        return "map", *parts

    def variable(self, *parts: Any) -> Any:
        return "global", *parts

    def function(
        self,
        name: str,
        params: Any,
        result: Any,
        shown: Any,
        section: str,
        static: str | None,
        slots: Any,
        *blocks: Any,
    ) -> _Function:
        return _Function((name, result, shown, section, bool(static)), params, slots, list(blocks))

    def params(self, *params: Any) -> Any:
        return list(params)

    def slots(self, *slots: Any) -> Any:
        return list(slots)

    def param(self, *parts: Any) -> Any:
        return parts

    def types(self, *shown: Any) -> Any:
        return list(shown)

    def slot(self, *parts: Any) -> Any:
        return parts

    def block(self, label: str, *lines: Any) -> Any:
        return label, list(lines)

    def line(self, result: tuple[str, str] | None, op: Any, span: Span | None) -> tuple[str | None, ops.Op]:
        op.span = span
        if result is None:
            if type(op) in ops.CALLS:
                op.kind = "void"
            return None, op
        key, kind = result
        if type(op) is ops.Atomic:
            op.fetch = True
        if op.kind != kind:
            if "kind" not in type(op)._fields:
                raise IrSyntaxError(f"{key}: this operation's result is {op.kind}")
            op.kind = kind
        if "name" in type(op)._fields:
            op.name = _plain(key)
        return key, op

    def result(self, key: str, kind: str | None) -> Any:
        return key, kind or "int"

    def span(self, source: str, *where: int) -> Span:
        return Span(Source(source, "", []), *where)

    def operand(self, what: int | str) -> ops.Value:
        return ops.Const(what) if isinstance(what, int) else _Ref(what)

    def name(self, text: str) -> str:
        return text

    def incoming(self, label: str, value: ops.Value) -> Any:
        return label, value

    def phi(self, *incoming: Any) -> ops.Op:
        return ops.Phi(list(incoming))

    def binary(self, op: str, width: int | None, lhs: ops.Value, rhs: ops.Value) -> ops.Op:
        return ops.Binary(op, lhs, rhs, width or 64)

    def ptradd(self, base: ops.Value, offset: ops.Value) -> ops.Op:
        return ops.PtrAdd(base, offset)

    def extend(self, word: str, bits: int, value: ops.Value) -> ops.Op:
        return ops.Extend(value, bits, word == "sext.")

    def swap(self, bits: int, value: ops.Value) -> ops.Op:
        return ops.Swap(value, bits)

    def cmp(self, width: int | None, pred: str, lhs: ops.Value, rhs: ops.Value) -> ops.Op:
        return ops.Cmp(pred, lhs, rhs, width or 64)

    def guard(self, value: ops.Value) -> ops.Op:
        return ops.Guard(value)

    def hide(self, value: ops.Value, zero: ops.Value | None) -> ops.Op:
        return ops.Hide(value, zero)

    def load(
        self, word: str, bits: int, const: str | None, core: CoreFact | None, addr: ops.Value, offset: int
    ) -> ops.Op:
        fact = None if core is None else replace(core, value=offset)
        return ops.Load(addr, offset, bits, word == "load.i", "int", bool(const), core=fact)

    def core(self, kind: int, tag: str, name: str, access: str) -> CoreFact:
        """Types are known by name only, each one once."""
        key = f"{tag} {name}"
        if key not in self.kernel:
            missing = types.EnumType(name, types.U32, ()) if tag == "enum" else KernelType(name, lambda: (0, ()), tag)
            self.kernel[key] = missing
        return CoreFact(kind, self.kernel[key], access, 0)

    def relocated(self, core: CoreFact, value: int) -> ops.Op:
        return ops.Relocated(replace(core, value=value))

    def toint(self, value: ops.Value) -> ops.Op:
        return ops.ToInt(value)

    def arenacast(self, value: ops.Value) -> ops.Op:
        return ops.ArenaCast(value)

    def store(self, bits: int, addr: ops.Value, offset: int, value: ops.Value) -> ops.Op:
        return ops.Store(addr, offset, bits, value)

    def atomic(self, bits: int | None, op: str, addr: ops.Value, offset: int, value: ops.Value, *more: Any) -> ops.Op:
        return ops.Atomic(op, addr, offset, bits or 64, value, *more)

    def slotaddr(self, slot: Any) -> ops.Op:
        return ops.SlotAddr(slot)

    def mapaddr(self, symbol: str) -> ops.Op:
        return ops.MapAddr(symbol)

    def globaladdr(self, symbol: str) -> ops.Op:
        return ops.GlobalAddr(symbol)

    def externaddr(self, symbol: str) -> ops.Op:
        return ops.ExternAddr(symbol)

    def funcaddr(self, symbol: str) -> ops.Op:
        return ops.FuncAddr(symbol)

    def call(self, name: str, number: int | None, *arguments: Any) -> ops.Op:
        return ops.Call(name, list(arguments)) if number is None else ops.CallHelper(number, name, list(arguments))

    def kcall(self, name: str, *arguments: Any) -> ops.Op:
        return ops.CallKernel(name, [a for a in arguments if a is not None])

    def asm(self, text: str, *inputs: Any) -> ops.Op:
        return ops.Asm(text, [v for v in inputs if v is not None])

    def jump(self, target: Any) -> ops.Op:
        return ops.Jump(target)

    def branch(self, width: int | None, pred: str, lhs: ops.Value, rhs: ops.Value, then: Any, other: Any) -> ops.Op:
        return ops.Branch(pred, lhs, rhs, then, other, width or 64)

    def may_goto(self, then: Any, other: Any) -> ops.Op:
        return ops.MayGoto(then, other)

    def ret(self, value: ops.Value) -> ops.Op:
        return ops.Return(value)

    def unreachable(self) -> ops.Op:
        return ops.Unreachable()
