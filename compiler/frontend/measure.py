"""What a typed expression tells about its own value: its interval, and which object a reference refers to."""

from __future__ import annotations

from pybpf.compiler.frontend import kinds, ranges, tree
from pybpf.compiler.schema.types import (
    ArrayType,
    IntType,
    OptionalType,
    PtrType,
    Space,
    align_of,
    is_aggregate,
    is_arena_pointer,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.ranges import Interval
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type

__all__ = [
    "alignment", "bare", "is_simple", "lies_in", "limits", "origins", "parts", "range_of", "underlying", "within",
]  # fmt: skip


def limits(type: Type) -> Interval:
    """The values of the 64-bit type that arithmetic is done in."""
    return ranges.I64_RANGE if kinds.is_signed(type) else ranges.U64_RANGE


def range_of(checker: Checker, expr: tree.Expr) -> Interval:
    """The interval of a number (of the value in an Optional number).

    It holds for the place where the expression stands; `checker.ranges` keeps it, since facts change afterwards.
    """
    known = checker.ranges.get(expr)
    if known is None:
        rule = _RANGES.get(type(expr))
        known = checker.ranges[expr] = rule(checker, expr) if rule is not None else _by_type(expr.type)
    return known


def _by_type(kind: Type) -> Interval:
    return ranges.of_type(kind.inner if isinstance(kind, OptionalType) else kind)


def _none(_: Checker, expr: tree.NoneValue) -> Interval:
    return ranges.EMPTY


def _const(_: Checker, expr: tree.Const) -> Interval:
    return expr.value, expr.value


def _convert(checker: Checker, expr: tree.Convert) -> Interval:
    return ranges.wrap(range_of(checker, expr.value), expr.type)


def _wrap(checker: Checker, expr: tree.Wrap) -> Interval:
    return range_of(checker, expr.value)


def _unwrap(checker: Checker, expr: tree.Unwrap) -> Interval:
    """Of what is never there nothing is known: the code is not reached, and is taken as it stands."""
    found = range_of(checker, expr.value)
    return found if found != ranges.EMPTY else _by_type(expr.type)


def _binary(checker: Checker, expr: tree.Binary) -> Interval:
    return ranges.arithmetic(expr.op, range_of(checker, expr.lhs), range_of(checker, expr.rhs), limits(expr.type))


def _unary(checker: Checker, expr: tree.Unary) -> Interval:
    if expr.op == "-":
        return ranges.arithmetic("-", (0, 0), range_of(checker, expr.value), limits(expr.type))
    lo, hi = range_of(checker, expr.value)
    return (~hi, ~lo) if kinds.is_signed(expr.type) else _by_type(expr.type)


def _choice(checker: Checker, expr: tree.IfExp) -> Interval:
    return ranges.join(range_of(checker, expr.then), range_of(checker, expr.other))


def _let(checker: Checker, expr: tree.Let) -> Interval:
    return range_of(checker, expr.body)


def _field(_: Checker, expr: tree.Field) -> Interval:
    bits = expr.field.bits
    if bits and isinstance(expr.type, IntType):
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if expr.type.signed else (0, (1 << bits) - 1)
    return _by_type(expr.type)


def _ctx_load(_: Checker, expr: tree.CtxLoad) -> Interval:
    """Of an address in the packet: how far from the packet's start it may be, which the verifier counts."""
    return (0, 0) if _in_packet(expr.type) else _by_type(expr.type)


def _local(checker: Checker, expr: tree.Local) -> Interval:
    """Of a variable of which nothing is known here: the cursor is where the program begins."""
    begins = checker.state is not None and expr.var.name not in checker.state and not checker.session.in_subprogram
    return (0, 0) if begins and _in_packet(expr.type) else _by_type(expr.type)


def within(expr: tree.Expr, least: int, most: int) -> tree.Expr:
    """A number of which that has been shown, where the verifier has to know it too."""
    return expr if isinstance(expr, tree.Const) else tree.Within(expr.type, expr.span, expr, least, most)


def _within(checker: Checker, expr: tree.Within) -> Interval:
    return range_of(checker, expr.value)


def _moved(checker: Checker, expr: tree.PtrOffset) -> Interval:
    (lo, hi), (least, most) = range_of(checker, expr.base), range_of(checker, expr.offset)
    return (lo + least, hi + most) if lo >= 0 and hi <= 0xFFFF else _by_type(expr.type)


def _in_packet(kind: Type) -> bool:
    return isinstance(kind, PtrType) and kind.space == Space.PACKET and kind.pointee is None


_RANGES: dict[type, Callable[..., Interval]] = {
    tree.CtxLoad: _ctx_load,
    tree.Local: _local,
    tree.PtrOffset: _moved,
    tree.Within: _within,
    tree.Const: _const,
    tree.NoneValue: _none,
    tree.Convert: _convert,
    tree.Wrap: _wrap,
    tree.Unwrap: _unwrap,
    tree.Binary: _binary,
    tree.Unary: _unary,
    tree.IfExp: _choice,
    tree.Let: _let,
    tree.Field: _field,
}


def origins(checker: Checker, expr: tree.Expr) -> frozenset[Span]:
    """Where the objects were made that a reference may refer to, as the spans of the expressions that made them."""
    kind = expr.type.inner if isinstance(expr.type, OptionalType) else expr.type
    if not isinstance(kind, PtrType):
        return frozenset()
    match expr:
        case tree.New() | tree.Copy() | tree.Fill() | tree.Zero() | tree.TextConst() | tree.RingReserve():
            return frozenset([expr.span])
        case tree.NewDynptr():
            return frozenset([expr.span])
        case tree.DynptrSlice():  # gone with the dynptr
            return origins(checker, expr.dynptr) | {expr.span}
        case tree.Acquire():
            return frozenset([expr.span])
        case tree.HelperCall() if kind.space == Space.TRUSTED:  # a view of a socket is gone when that is released
            given = [a for a in expr.args if isinstance(a, tree.Expr)]
            return frozenset().union(*[origins(checker, argument) for argument in given])
        case tree.Local():
            fact = checker.state.get(expr.var.name) if checker.state is not None else None
            return fact.origins if fact is not None else frozenset()
        case tree.Field() | tree.Index() if is_arena_pointer(expr.type) and not _is_inside(expr):
            return frozenset()  # what is pointed to is another object
        case tree.Field() | tree.Index() | tree.Slice():
            return origins(checker, expr.base)
        case tree.Wrap() | tree.Unwrap() | tree.Cast():
            return origins(checker, expr.value)
        case tree.IfExp():
            return origins(checker, expr.then) | origins(checker, expr.other)
        case tree.Let():
            return origins(checker, expr.body) | origins(checker, expr.value)
        case tree.FuncCall():
            found = frozenset([expr.span]) if kind.space in (Space.STACK, Space.MAP) else frozenset()
            for argument in expr.args:
                found |= origins(checker, argument)
            return found
    return frozenset()


def parts(checker: Checker, expr: tree.Expr) -> frozenset[tuple[Any, tuple[str, ...]]]:
    """Where a reference may lie in objects that are not on the stack, as `Fact.parts` has it; "*" is any index."""
    kind = expr.type.inner if isinstance(expr.type, OptionalType) else expr.type
    if not isinstance(kind, PtrType) or kind.space == Space.STACK:
        return frozenset()
    match expr:
        case tree.Local():
            fact = checker.state.get(expr.var.name) if checker.state is not None else None
            return fact.parts if fact is not None and fact.parts else frozenset([(expr.var.name, ())])
        case tree.Global():
            return frozenset([(expr.spec.name, ())])
        case tree.Field() | tree.Index() if _is_inside(expr):
            if isinstance(expr, tree.Field):
                name = expr.field.name
            else:
                name = str(expr.index.value) if isinstance(expr.index, tree.Const) else "*"
            return frozenset([(root, (*way, name)) for root, way in parts(checker, expr.base)])
        case tree.Slice():
            return parts(checker, expr.base)
        case tree.Wrap() | tree.Unwrap() | tree.Cast():
            return parts(checker, expr.value)
        case tree.IfExp():
            return parts(checker, expr.then) | parts(checker, expr.other)
        case tree.Let():
            return parts(checker, expr.body)
    return frozenset([(expr.span, ())])


def lies_in(part: tuple[Any, tuple[str, ...]], place: tuple[Any, tuple[str, ...]]) -> bool:
    """Whether a part of an object lies in another part of it, or is that."""
    (root, way), (other, outer) = part, place
    same = all([a == b or "*" in (a, b) for a, b in zip(way, outer)])
    return root == other and len(way) >= len(outer) > 0 and same


def _is_inside(place: tree.Field | tree.Index) -> bool:
    """Whether what a reference to a part of an object refers to lies in the object."""
    if isinstance(place, tree.Field):
        return is_aggregate(place.field.type)
    kind = kinds.aggregate(place.base.type)
    return not isinstance(kind, ArrayType) or is_aggregate(kind.element)


def alignment(checker: Checker, place: tree.Expr) -> int:
    """What the address of a place, or of the object that a reference refers to, is a multiple of: 1, 2, 4 or 8 bytes.

    The kernel aligns map entries to 8 bytes; a global lies where its type wants. An argument is taken for an entry.
    """
    match place:
        case tree.Field():
            return _common(alignment(checker, place.base), place.field.offset)
        case tree.Index():
            kind = kinds.aggregate(place.base.type)
            step = size_of(kind.element) if isinstance(kind, ArrayType) else 1
            return _common(alignment(checker, place.base), step)
        case tree.Global():
            return min(align_of(place.spec.type), 8)
        case tree.Local():
            return checker.alignments.get(place.var.name, 8)
        case tree.Wrap() | tree.Unwrap() | tree.Cast():
            return alignment(checker, place.value)
        case tree.IfExp():
            return min(alignment(checker, place.then), alignment(checker, place.other))
        case tree.Let():
            return alignment(checker, place.body)
    return 8


def _common(align: int, offset: int) -> int:
    return min(align, offset & -offset) if offset else align


def underlying(checker: Checker, expr: tree.Expr) -> tree.Var | None:
    """The variable whose value the expression has, seen through conversions that keep the value."""
    found = bare(checker, expr)
    return found.var if isinstance(found, tree.Local) else None


def bare(checker: Checker, expr: tree.Expr) -> tree.Expr | None:
    """The expression without conversions that keep the value; None where one does not."""
    while True:
        if isinstance(expr, tree.Let):  # `(v := m.get(k))`: what is learnt of the value is learnt of v
            expr = expr.body
            continue
        if isinstance(expr, tree.Convert):
            lo, hi = range_of(checker, expr.value)
            low, high = ranges.of_type(expr.type)
            if not (low <= lo and hi <= high):
                return None
        elif not isinstance(expr, (tree.Unwrap, tree.Wrap)):
            return expr
        expr = expr.value


def is_simple(expr: tree.Expr) -> bool:
    """Whether evaluating it twice, or later, is the same as once: constants and variables."""
    while isinstance(expr, (tree.Convert, tree.Unwrap, tree.Wrap, tree.Cast)):
        expr = expr.value
    return isinstance(expr, (tree.Const, tree.Local, tree.NoneValue, tree.Context))
