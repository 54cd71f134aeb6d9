"""Expressions of the typed tree as Python expressions.

Numbers are ints that fit their type, bools are bools, Optionals are the value or None, references are places
(`Ref`), addresses in the packet and in user and kernel memory are ints.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.schema.core import offset_of, type_after
from pybpf.compiler.schema.kernel import KernelMember, KernelType
from pybpf.compiler.schema.types import (
    U8,
    ArrayType,
    BoolType,
    EnumType,
    IntType,
    OptionalType,
    PtrType,
    Space,
    TextType,
    is_aggregate,
    is_arena_pointer,
    size_of,
)
from pybpf.simulator.context import is_lent
from pybpf.simulator.memory import Bits, Far, Place, Ref, scalar_of
from pybpf.simulator.translator import is_far

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.simulator.translator import Translator

__all__ = ["argument", "arithmetic", "element_type", "expression", "place", "scalar_at"]

_AST_BINARY = {
    "+": ast.Add, "-": ast.Sub, "*": ast.Mult, "&": ast.BitAnd, "|": ast.BitOr, "^": ast.BitXor,
    "<<": ast.LShift, ">>": ast.RShift,
}  # fmt: skip
_AST_COMPARE = {"==": ast.Eq, "!=": ast.NotEq, "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE}
_MASK64 = (1 << 64) - 1


def expression(t: Translator, node: tree.Expr) -> ast.expr:
    before, t.span = t.span, node.span
    result = _EXPRESSIONS[type(node)](t, node)
    t.span = before
    return result


# --- places and references


def place(t: Translator, node: tree.Expr) -> ast.expr:
    """The place of a field, an element, a global or a map's slot, or the one that a reference is."""
    before, t.span = t.span, node.span
    if isinstance(node, tree.Field):
        base = place(t, node.base)
        if not node.field.bits:
            base = t.method(base, "at", t.literal(node.field.offset), t.constant(node.field.type))
        result = base
    elif isinstance(node, tree.Index):
        kind = element_type(node)
        length = node.base.type.pointee  # type: ignore[attr-defined]
        count = length.length if isinstance(length, ArrayType) else size_of(length)
        result = t.call(
            "_element", place(t, node.base), expression(t, node.index), t.literal(count), t.literal(size_of(kind)),
            t.constant(kind),
        )  # fmt: skip
    elif isinstance(node, tree.Slice):
        part, whole = (size_of(e.type.pointee) for e in (node, node.base))  # type: ignore[attr-defined]
        result = t.call(
            "_element", place(t, node.base), expression(t, node.start), t.literal(whole - part + 1), t.literal(1),
            t.constant(node.type.pointee),  # type: ignore[attr-defined]
        )  # fmt: skip
    elif isinstance(node, tree.Global):
        result = t.constant(t.simulation.global_place(node.spec))
    elif isinstance(node, tree.MapIndex):
        result = t.method(_table(t, node.map), "slot", expression(t, node.key))
    elif isinstance(node, tree.CtxLoad) and node.field.role in ("", "array") and not is_lent(node.field.type):
        result = t.call("_context_at", t.literal(node.field.offset), t.constant(node.field.type))
    else:
        result = expression(t, node)
        if is_far(node.type):
            result = _far(t, result, node.type)
    t.span = before
    return result


def _far(t: Translator, address: ast.expr, type: Any) -> ast.expr:
    return t.call("_far", address, t.literal(type.space), t.constant(type.pointee))


def element_type(node: tree.Index) -> Type:
    kind = node.base.type
    inner = kind.pointee if isinstance(kind, PtrType) else None
    return inner.element if isinstance(inner, ArrayType) else U8


def scalar_at(t: Translator, node: tree.Expr) -> ast.expr:
    """What loads and stores the number at a place."""
    if isinstance(node, tree.Field):
        return t.constant(Bits(node.field) if node.field.bits else scalar_of(node.field.type))
    if isinstance(node, tree.Index):
        return t.constant(scalar_of(element_type(node)))
    if isinstance(node, tree.Global):
        return t.constant(scalar_of(node.spec.type))
    if isinstance(node, tree.CtxLoad):
        return t.constant(_context_scalar(node))
    assert isinstance(node, tree.MapIndex) and node.map.value is not None
    return t.constant(scalar_of(node.map.value))


def _context_scalar(node: tree.CtxLoad) -> Any:
    """A context field is loaded with the size that it has there, and the sign of its type."""
    kind = node.field.type
    kind = kind.inner if isinstance(kind, OptionalType) else kind
    if isinstance(kind, IntType) and not kind.big:
        return scalar_of(IntType(8 * node.field.size, kind.signed))
    return scalar_of(kind)


def _load(t: Translator, node: Any) -> ast.expr:
    """The number at a place, or the place of the aggregate there."""
    if isinstance(node.type, PtrType) and node.type.pointee is not None and is_aggregate(node.type.pointee):
        held = place(t, node)
        return t.here(ast.Attribute(held, "address", ast.Load())) if is_far(node.type) else held
    return t.method(scalar_at(t, node), "load", place(t, node))


class _Reader:
    """Reads a KernelPlace, given the address of its base and the indices that only the run tells."""

    def __init__(self, node: tree.KernelPlace) -> None:
        assert isinstance(node.base.type, PtrType) and node.base.type.pointee is not None
        root = node.base.type.pointee
        fixed = [0 if isinstance(step, tree.Expr) else step for step in node.path]
        self.kind = type_after(root, fixed)
        self.far = Space.USER if node.base.type.space == Space.USER else Space.KERNEL
        last = fixed[-1] if fixed else None
        self.bits = Bits(last) if isinstance(last, KernelMember) and last.bits else None  # type: ignore[arg-type]
        self.in_place = isinstance(self.kind, KernelType) or is_aggregate(self.kind)
        first = 0 if isinstance(node.first, tree.Expr) else node.first
        self.offset = offset_of(root, fixed[:-1] if self.bits is not None else fixed)
        self.offset += first * size_of(root) if first else 0
        self.steps = [size_of(root)] if isinstance(node.first, tree.Expr) else []
        for number, step in enumerate(node.path):
            if isinstance(step, tree.Expr):
                self.steps.append(size_of(type_after(root, fixed[: number + 1])))
        self.memory: Any = None

    def __call__(self, base: int, *indices: int) -> Any:
        if self.in_place and not base:
            return 0
        address = base + self.offset + sum([i * step for i, step in zip(indices, self.steps)]) & _MASK64
        if self.in_place:
            return address
        if self.bits is not None:
            return self.bits.load(Far(self.memory, address))
        return scalar_of(self.kind).load(Far(self.memory, address))


class _Writer:
    """Stores to a member of an object that the program may change, given the object's address and the value."""

    def __init__(self, node: tree.KernelPlace, simulation: Any) -> None:
        assert isinstance(node.base.type, PtrType) and node.base.type.pointee is not None
        fixed = [step for step in node.path if not isinstance(step, tree.Expr)]
        self.offset = offset_of(node.base.type.pointee, fixed)
        self.scalar = scalar_of(type_after(node.base.type.pointee, fixed))
        self.path = [step if isinstance(step, int) else step.name for step in fixed]
        self.simulation = simulation

    def __call__(self, base: int, value: int) -> None:
        if base:
            data = self.scalar.encode(value)
            self.simulation.kernel.write(base + self.offset, data)
            self.simulation.objects.change(base, [step for step in self.path if step != ""], self.scalar.decode(data))


def kernel_store(t: Translator, node: tree.KernelPlace, value: ast.expr) -> ast.expr:
    return t.call(t.constant(_Writer(node, t.simulation)), expression(t, node.base), value)


def _kernel_place(t: Translator, node: tree.KernelPlace) -> ast.expr:
    reader = _Reader(node)
    reader.memory = t.simulation.user if reader.far == Space.USER else t.simulation.kernel
    indices = [step for step in (node.first, *node.path) if isinstance(step, tree.Expr)]
    return t.call(t.constant(reader), expression(t, node.base), *[expression(t, index) for index in indices])


def _kernel_container(t: Translator, node: tree.KernelContainer) -> ast.expr:
    assert isinstance(node.type, PtrType) and node.type.pointee is not None
    offset = t.literal(offset_of(node.type.pointee, node.path))
    return _wrapped(t, t.here(ast.BinOp(expression(t, node.value), ast.Sub(), offset)), 64, False)


def _kernel_fact(t: Translator, node: tree.KernelFact) -> ast.expr:
    """As the BTF says that the program is compiled with."""
    return t.literal(bool(node.fact.value) if isinstance(node.type, BoolType) else node.fact.value)


def _none(t: Translator, node: tree.NoneValue) -> ast.expr:
    return t.literal(0 if is_far(node.type) else None)


def _ctx_load(t: Translator, node: tree.CtxLoad) -> ast.expr:
    field = node.field
    if field.role == "packet":
        return t.call("_packet_start")
    if field.role == "packet_meta":
        return t.call("_packet_meta")
    if is_lent(field.type):
        return t.call("_lent", t.literal(field.name))
    if field.role == "packet_end":
        return t.call("_packet_end")
    if field.role == "data_loc":
        return t.call("_dynamic", t.literal(field.offset), t.constant(field.type))
    return _load(t, node)


def _cast(t: Translator, node: tree.Cast) -> ast.expr:
    value = expression(t, node.value)
    if isinstance(node.type, IntType) and node.type.signed:
        return t.call("_signed", value, t.literal(node.type.bits))
    if not isinstance(node.type, PtrType) or node.type.pointee is None or is_far(node.type):
        return value
    given = node.value.type
    if node.type.space == Space.PACKET and isinstance(given, PtrType) and given.pointee is None:
        return t.call("_packet_at", value, t.constant(node.type.pointee))
    return t.method(value, "at", t.literal(0), t.constant(node.type.pointee))


# --- new aggregates


class _Maker:
    """Makes a struct from the values of some fields, in the order given; all other bytes are zero."""

    def __init__(self, node: tree.New) -> None:
        assert isinstance(node.type, PtrType) and node.type.pointee is not None
        self.type = node.type.pointee
        self.size = size_of(self.type)
        self.fields = [field for field, _ in node.values]

    def __call__(self, *values: Any) -> Ref:
        from pybpf.simulator.tables import to_bytes

        made = Ref(bytearray(self.size), 0, self.type)
        for field, value in zip(self.fields, values):
            if field.bits:
                Bits(field).store(made, value)
            elif is_arena_pointer(field.type):
                scalar_of(field.type).store(made.at(field.offset, None), value)
            elif isinstance(value, Place):
                made.at(field.offset, None).write(to_bytes(field.type, value))
            else:
                scalar_of(field.type).store(made.at(field.offset, None), value)
        return made


def _new(t: Translator, node: tree.New) -> ast.expr:
    values = [place(t, v) if is_far(v.type) and is_aggregate(f.type) else expression(t, v) for f, v in node.values]
    return t.call(t.constant(_Maker(node)), *values)


def _fresh(t: Translator, node: tree.TextConst | tree.Zero) -> ast.expr:
    assert isinstance(node.type, PtrType) and node.type.pointee is not None
    data = node.value if isinstance(node, tree.TextConst) else bytes(size_of(node.type.pointee))
    return t.call("_fresh", t.literal(data), t.constant(node.type.pointee))


def _copy(t: Translator, node: tree.Copy) -> ast.expr:
    assert isinstance(node.type, PtrType)
    kind = t.constant(node.type.pointee)
    return t.call("_fresh", t.call("_to_bytes", kind, place(t, node.value)), kind)


def _fill(t: Translator, node: tree.Fill) -> ast.expr:
    assert isinstance(node.type, PtrType)
    args = [expression(t, arg) for arg in node.args]
    return t.call("_fill", t.constant(node.spec), t.constant(node.type.pointee), *args)


# --- numbers


def arithmetic(t: Translator, op: str, signed: bool, lhs: ast.expr, rhs: ast.expr) -> ast.expr:
    """lhs op rhs, wrapped to 64 bits."""
    if op in ("//", "%"):
        return _wrapped(t, t.call("_floor_divide" if op == "//" else "_modulo", lhs, rhs), 64, signed)
    if op in ("<<", ">>"):
        rhs = t.here(ast.BinOp(rhs, ast.BitAnd(), t.literal(63)))
    result: ast.expr = t.here(ast.BinOp(lhs, _AST_BINARY[op](), rhs))
    return result if op in ("&", "|", "^", ">>") else _wrapped(t, result, 64, signed)


def _wrapped(t: Translator, value: ast.expr, bits: int, signed: bool) -> ast.expr:
    if signed:
        return t.call("_signed", value, t.literal(bits))
    return t.here(ast.BinOp(value, ast.BitAnd(), t.literal((1 << bits) - 1)))  # type: ignore[no-any-return]


def _is_signed(type: Type) -> bool:
    return isinstance(type, IntType) and type.signed


def _unary(t: Translator, node: tree.Unary) -> ast.expr:
    op = ast.USub() if node.op == "-" else ast.Invert()
    return _wrapped(t, t.here(ast.UnaryOp(op, expression(t, node.value))), 64, _is_signed(node.type))


def _binary(t: Translator, node: tree.Binary) -> ast.expr:
    lhs = expression(t, node.lhs)
    return arithmetic(t, node.op, _is_signed(node.type), lhs, expression(t, node.rhs))


def _convert(t: Translator, node: tree.Convert) -> ast.expr:
    value = expression(t, node.value)
    if isinstance(node.type, BoolType):
        return t.call("bool", value)
    kind = node.type.base if isinstance(node.type, EnumType) else node.type
    assert isinstance(kind, IntType)
    return _wrapped(t, value, kind.bits, kind.signed)


def _const(t: Translator, node: tree.Const) -> ast.expr:
    if isinstance(node.type, BoolType):
        return t.literal(bool(node.value))
    return t.literal(int(node.value))


def _compare(t: Translator, node: tree.Compare) -> ast.expr:
    lhs = expression(t, node.lhs)
    if is_arena_pointer(node.lhs.type):
        from pybpf.simulator.arenas import same_place

        return t.call(t.constant(same_place), lhs, expression(t, node.rhs))
    return t.here(ast.Compare(lhs, [_AST_COMPARE[node.op]()], [expression(t, node.rhs)]))  # type: ignore[no-any-return]


# --- truth and None


def _truth(t: Translator, node: tree.Truth) -> ast.expr:
    value = expression(t, node.value)
    if isinstance(node.value.type, (IntType, EnumType, BoolType)):
        return t.call("bool", value)
    return t.call("_truth", value)


def _is_none(t: Translator, node: tree.IsNone) -> ast.expr:
    value = expression(t, node.value)
    return t.here(ast.Compare(value, [ast.Is()], [t.literal(None)]))  # type: ignore[no-any-return]


def _bool(op: type[ast.boolop]) -> Callable[[Translator, Any], ast.expr]:
    return lambda t, node: t.here(ast.BoolOp(op(), [expression(t, node.lhs), expression(t, node.rhs)]))


def _if_exp(t: Translator, node: tree.IfExp) -> ast.expr:
    sides = expression(t, node.then), expression(t, node.other)
    return t.here(ast.IfExp(expression(t, node.test), *sides))  # type: ignore[no-any-return]


def _let(t: Translator, node: tree.Let) -> ast.expr:
    value = expression(t, node.value)
    target = t.here(ast.Name(t.variable(node.var), ast.Store()))
    pair = t.tuple([t.here(ast.NamedExpr(target, value)), expression(t, node.body)])
    return t.here(ast.Subscript(pair, t.literal(1), ast.Load()))  # type: ignore[no-any-return]


def _text_compare(t: Translator, node: tree.TextCompare) -> ast.expr:
    lhs = place(t, node.lhs)
    return t.call("_same_text", lhs, place(t, node.rhs), t.literal(node.equal))


# --- calls


def _helper_call(t: Translator, node: tree.HelperCall) -> ast.expr:
    args = [expression(t, a) if isinstance(a, tree.Expr) else _table(t, a) for a in node.args]
    return t.call("_helper", t.constant(node.helper), t.constant(node.type), *args)


def _func_call(t: Translator, node: tree.FuncCall) -> ast.expr:
    args = [expression(t, arg) for arg in node.args]
    return t.call(t.function_name(node.function), *args)


def _subprog_call(t: Translator, node: tree.SubprogCall) -> ast.expr:
    """The context is the simulation's own: it is not handed over."""
    pairs = zip(node.args, node.subprogram.params)
    args = [expression(t, arg) for arg, var in pairs if var is not None]
    return t.call(t.function_name(node.subprogram.function), *args)


def _printk(t: Translator, node: tree.Printk) -> ast.expr:
    args = [place(t, a) if isinstance(a.type, PtrType) else expression(t, a) for a in node.args]
    return t.call("_printk", t.literal(node.format), *args)


def _kfunc_call(t: Translator, node: tree.KfuncCall) -> ast.expr:
    args = [argument(t, a) for a in node.args]
    return t.call("_helper", t.constant(node.kfunc), t.constant(node.type), *args)


def argument(t: Translator, node: tree.Expr) -> ast.expr:
    """What a function of the kernel is given: a number, or an object where it lies."""
    return place(t, node) if is_far(node.type) and _refers_to_object(node) else expression(t, node)


def _discard(t: Translator, node: tree.Discard) -> ast.expr:
    """A record that was reserved for a dynptr belongs to that."""
    name = t.variable(node.var)
    return t.method(t.name(name if kinds.is_dynptr(node.var.type) else f"_record_{name}"), "discard")


def _dynptr_slice(t: Translator, node: tree.DynptrSlice) -> ast.expr:
    assert isinstance(node.type, OptionalType) and isinstance(node.type.inner, PtrType)
    kind = t.constant(node.type.inner.pointee)
    return t.method(expression(t, node.dynptr), "slice", expression(t, node.offset), t.literal(node.size), kind)


def _refers_to_object(node: tree.Expr) -> bool:
    return isinstance(node.type, PtrType) and node.type.pointee is not None and is_aggregate(node.type.pointee)


def _asm(t: Translator, node: tree.Asm) -> ast.expr:
    args = [expression(t, a) if isinstance(a, tree.Expr) else _table(t, a) for a in node.args]
    return t.call("_asm", t.literal(node.text), *args)


# --- maps


def _table(t: Translator, spec: MapSpec) -> ast.expr:
    if spec.at is not None:
        at: tree.Expr = spec.at
        return expression(t, at)
    return t.constant(t.simulation.table(spec))


def _map(method: str) -> Callable[[Translator, Any], ast.expr]:
    def translate(t: Translator, node: Any) -> ast.expr:
        return t.method(_table(t, node.map), method, _key(t, node.map, node.key))

    return translate


def _operand(t: Translator, node: tree.Expr) -> ast.expr:
    return place(t, node) if is_far(node.type) else expression(t, node)


def _per_cpu(t: Translator, node: tree.PerCpu) -> ast.expr:
    """All CPUs of a simulation have the one value that it was given."""
    held, cpus = t.simulation.global_place(node.spec), t.simulation.cpus
    scalar = scalar_of(node.spec.type)
    return t.call(t.constant(lambda cpu: scalar.load(held) if cpu < cpus else None), expression(t, node.cpu))


def _arena_alloc(t: Translator, node: tree.ArenaAlloc) -> ast.expr:
    assert isinstance(node.type, OptionalType) and isinstance(node.type.inner, PtrType)
    return t.method(_table(t, node.map), "alloc", t.literal(node.pages), t.constant(node.type.inner.pointee))


def _arena_address(t: Translator, node: tree.ArenaAddress) -> ast.expr:
    value = expression(t, node.value)
    if not isinstance(node.type, OptionalType):
        return t.method(_table(t, node.map), "address", value)
    assert isinstance(node.type.inner, PtrType)
    return t.method(_table(t, node.map), "at", value, t.constant(node.type.inner.pointee))


def _key(t: Translator, spec: MapSpec, key: tree.Expr) -> ast.expr:
    """A key as the map takes it: of a local storage the address of the object."""
    return expression(t, key) if spec.kind.family == "storage" else _operand(t, key)


def _map_set(t: Translator, node: tree.MapSet) -> ast.expr:
    value = t.temporary()
    keep = t.here(ast.NamedExpr(t.here(ast.Name(value, ast.Store())), _operand(t, node.value)))
    do = t.method(_table(t, node.map), "set", _key(t, node.map, node.key), t.name(value), t.literal(node.flags))
    made: ast.expr = t.here(ast.Subscript(t.tuple([keep, do]), t.literal(1), ast.Load()))
    return made


def _map_update(t: Translator, node: tree.MapUpdate) -> ast.expr:
    kind = node.value.type
    base = kind.base if isinstance(kind, EnumType) else kind
    signed = isinstance(base, IntType) and base.signed
    key = expression(t, node.key)
    return t.method(
        _table(t, node.map), "bump", key, t.literal(node.op), expression(t, node.value), t.literal(signed)
    )  # fmt: skip


def _map_default(t: Translator, node: tree.MapSetDefault) -> ast.expr:
    key = _key(t, node.map, node.key)
    return t.method(_table(t, node.map), "default", key, _operand(t, node.value))


def _timer(t: Translator, node: tree.TimerCall) -> ast.expr:
    timer = place(t, node.timer)
    if node.map is None or node.delay is None or node.callback is None or node.callback.function is None:
        return t.call("_timer_cancel", timer)
    delay = expression(t, node.delay)
    return t.call("_timer_start", timer, _table(t, node.map), delay, t.name(t.function_name(node.callback.function)))


def _node_call(t: Translator, node: tree.NodeCall) -> ast.expr:
    element = t.literal(None) if node.element is None else expression(t, node.element)
    order = node.less.function if node.less is not None else None
    less = t.literal(None) if order is None else t.name(t.function_name(order))
    root = place(t, node.root)
    return t.call("_node_call", t.literal(node.kfunc.name), root, t.literal(node.node.offset), element, less)


def _atomic(t: Translator, node: tree.Atomic) -> ast.expr:
    scalar, at = scalar_at(t, node.place), place(t, node.place)
    expected = expression(t, node.expected) if node.expected is not None else t.literal(None)
    return t.call("_atomic", scalar, at, t.literal(node.op), expected, expression(t, node.value))


_EXPRESSIONS: dict[type, Callable[[Translator, Any], ast.expr]] = {
    tree.Const: _const,
    tree.NoneValue: _none,
    tree.TextConst: _fresh,
    tree.Zero: _fresh,
    tree.New: _new,
    tree.Fill: _fill,
    tree.Copy: _copy,
    tree.Slice: lambda t, node: place(t, node),
    tree.Local: lambda t, node: t.name(t.variable(node.var)),
    tree.Context: lambda t, node: t.call("_context_at", t.literal(0), t.literal(None)),
    tree.CtxLoad: _ctx_load,
    tree.Global: _load,
    tree.Field: _load,
    tree.Index: _load,
    tree.KernelContainer: _kernel_container,
    tree.KernelFact: _kernel_fact,
    tree.KernelPlace: _kernel_place,
    tree.MapIndex: _load,
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.Convert: _convert,
    tree.Compare: _compare,
    tree.TextCompare: _text_compare,
    tree.Truth: _truth,
    tree.Not: lambda t, node: t.here(ast.UnaryOp(ast.Not(), expression(t, node.value))),
    tree.And: _bool(ast.And),
    tree.Or: _bool(ast.Or),
    tree.IfExp: _if_exp,
    tree.Let: _let,
    tree.IsNone: _is_none,
    tree.Wrap: lambda t, node: expression(t, node.value),
    tree.Unwrap: lambda t, node: expression(t, node.value),
    tree.Within: lambda t, node: expression(t, node.value),
    tree.PtrOffset: lambda t, node: t.here(ast.BinOp(expression(t, node.base), ast.Add(), expression(t, node.offset))),
    tree.Cast: _cast,
    tree.HelperCall: _helper_call,
    tree.FuncCall: _func_call,
    tree.SubprogCall: _subprog_call,
    tree.TailCall: lambda t, node: t.call("_tail_call", _table(t, node.map), expression(t, node.index)),
    tree.Printk: _printk,
    tree.Asm: _asm,
    tree.KfuncCall: _kfunc_call,
    tree.KfuncExists: lambda t, node: t.call("_has_helper", t.literal(node.kfunc.name)),
    tree.RodataText: lambda t, node: t.call(
        "_fresh", t.literal(node.value + b"\0"), t.constant(TextType(len(node.value) + 1))
    ),
    tree.NewDynptr: lambda t, node: t.call("_dynptr"),
    tree.DynptrSlice: _dynptr_slice,
    tree.Acquire: lambda t, node: expression(t, node.value),
    tree.Release: lambda t, node: expression(t, node.value),
    tree.Atomic: _atomic,
    tree.Allocate: lambda t, node: t.call("_allocate", expression(t, node.initial)),
    tree.KptrLoad: lambda t, node: t.call("_kept", place(t, node.place)),
    tree.KptrStore: lambda t, node: t.call("_keep", place(t, node.place), expression(t, node.value)),
    tree.NodeCall: _node_call,
    tree.TimerCall: _timer,
    tree.MapGet: _map("get"),
    tree.MapContains: _map("has"),
    tree.MapSet: _map_set,
    tree.MapUpdate: _map_update,
    tree.MapDelete: _map("delete"),
    tree.MapPop: _map("pop"),
    tree.MapSetDefault: _map_default,
    tree.MapPush: lambda t, node: t.method(_table(t, node.map), "push", _operand(t, node.value), t.literal(node.flags)),
    tree.MapTake: lambda t, node: t.method(_table(t, node.map), "take", t.literal(node.keeps)),
    tree.PerCpu: _per_cpu,
    tree.ArenaAlloc: _arena_alloc,
    tree.ArenaFree: lambda t, node: t.method(
        _table(t, node.map), "free", expression(t, node.value), t.literal(node.pages)
    ),
    tree.ArenaAddress: _arena_address,
    tree.RingEmit: lambda t, node: t.method(_table(t, node.map), "emit", _operand(t, node.value)),
    tree.Discard: _discard,
}
