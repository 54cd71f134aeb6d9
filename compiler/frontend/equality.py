"""`==` and `!=` of what is more than a number: structs and arrays element by element, and values that may be None.

As in Python two structs of one class are equal if all their fields are, and nothing but None equals None.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kinds, tree
from pybpf.compiler.frontend.access import reference
from pybpf.compiler.frontend.conditions import hold, identity, negation, ordered
from pybpf.compiler.frontend.convert import materialize
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.schema.types import (
    BOOL,
    U64,
    ArrayType,
    BytesType,
    OptionalType,
    PtrType,
    StructType,
    is_arena_pointer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type

    Outcome: TypeAlias = "tuple[tree.Expr, State | None, State | None]"

__all__ = ["objects", "optionals", "reread"]

_MOST = 64  # comparisons; objects with more numbers in them are better compared by what matters


def reread(checker: Checker, value: Value) -> Value:
    """A variable's value as it is known now: an Optional that was found to be there is unwrapped."""
    inner = value
    while isinstance(inner, tree.Unwrap):
        inner = inner.value
    return checker.local(inner.var, value.span) if isinstance(inner, tree.Local) else value


def optionals(checker: Checker, op: str, lhs: Value, rhs: Value, span: Span) -> Outcome | None:
    """`m.get(k) == 5`: there, and equal. None where neither or both of the sides may be None."""
    maybe = [isinstance(v, tree.Expr) and isinstance(v.type, OptionalType) for v in (lhs, rhs)]
    if (
        op not in ("==", "!=")
        or maybe[0] == maybe[1]
        or any(isinstance(v, Known) and v.value is None for v in (lhs, rhs))
    ):
        return None  # (`x == None` is refused: it is written `is None`)
    entry = checker.state
    lets: list[tuple[tree.Var, tree.Expr]] = []
    left, right = (hold(checker, value, lets, False) for value in (lhs, rhs))
    optional, other = (left, right) if maybe[0] else (right, left)
    assert isinstance(optional, tree.Expr)
    absent, none, some = identity(checker, optional, Known(None, optional.span), optional.span, "is")
    assert some is not None
    checker.state = dict(some)
    inner = reread(checker, optional)
    if isinstance(inner, tree.Expr) and isinstance(inner.type, OptionalType):  # it is always None: never evaluated
        inner = tree.Unwrap(inner.type.inner, inner.span, inner)
    pair = (inner, other) if maybe[0] else (other, inner)
    equal, true, false = ordered(checker, "==", *pair, span)
    whole: tree.Expr = tree.And(BOOL, span, negation(absent, span), equal)
    false = flow.join(none, false)
    for var, value in reversed(lets):
        whole = tree.Let(BOOL, span, var, value, whole)
    checker.state = entry
    if true is None or false is None:  # decided by types; still evaluated
        true, false = true or entry, false or entry
    return (whole, true, false) if op == "==" else (negation(whole, span), false, true)


def objects(checker: Checker, op: str, lhs: Value, rhs: Value, span: Span) -> tree.Expr | None:
    """Two structs, or two arrays, of one type; None where they are not, or are too large."""
    left, right = materialize(checker, lhs), materialize(checker, rhs, lhs.type if isinstance(lhs, tree.Expr) else None)
    kind, other = kinds.aggregate(left.type), kinds.aggregate(right.type)
    if kinds.is_dynptr(left.type) or kinds.is_dynptr(right.type):
        checker.fail(errors.DynptrCopied(span, checker.text(span)))
    if kind is None or other is None or not kinds.same(kind, other) or op not in ("==", "!="):
        return None
    if not isinstance(kind, (StructType, ArrayType)) or _count(kind) > _MOST:
        return None
    lets: list[tuple[tree.Var, tree.Expr]] = []
    a, b = hold(checker, left, lets, False), hold(checker, right, lets, False)
    assert isinstance(a, tree.Expr) and isinstance(b, tree.Expr)
    whole = _equal(checker, kind, a, b, span)
    for var, value in reversed(lets):
        whole = tree.Let(BOOL, span, var, value, whole)
    return whole if op == "==" else negation(whole, span)


def _count(kind: Type) -> int:
    """How many comparisons it takes."""
    if isinstance(kind, ArrayType):
        return kind.length * _count(kind.element)
    if isinstance(kind, StructType) and not kind.union:
        return sum([_count(field.type) for field in kind.fields])
    return 1


def _equal(checker: Checker, kind: Type, a: tree.Expr, b: tree.Expr, span: Span) -> tree.Expr:
    if isinstance(kind, StructType) and not kind.union:
        made = [
            (tree.Field(_kind(f.type, a), span, a, f), tree.Field(_kind(f.type, b), span, b, f)) for f in kind.fields
        ]
        parts = [_equal(checker, f.type, x, y, span) for f, (x, y) in zip(kind.fields, made)]
    elif isinstance(kind, ArrayType):
        at = [tree.Const(U64, span, i) for i in range(kind.length)]
        pairs = [
            (tree.Index(_kind(kind.element, a), span, a, i), tree.Index(_kind(kind.element, b), span, b, i)) for i in at
        ]
        parts = [_equal(checker, kind.element, x, y, span) for x, y in pairs]
    elif isinstance(kind, StructType):  # a union: its bytes
        x, y = _bytes_of(a, kind.size), _bytes_of(b, kind.size)
        return tree.TextCompare(BOOL, span, x, y)
    elif is_arena_pointer(kind):  # to the same object
        return tree.Compare(BOOL, span, "==", a, b)
    else:
        return ordered(checker, "==", a, b, span)[0]
    result = parts[-1]
    for part in reversed(parts[:-1]):
        result = tree.And(BOOL, span, part, result)
    return result


def _bytes_of(base: tree.Expr, size: int) -> tree.Expr:
    assert isinstance(base.type, PtrType)
    return tree.Cast(PtrType(BytesType(size), base.type.space), base.span, base)


def _kind(kind: Type, base: tree.Expr) -> Type:
    assert isinstance(base.type, PtrType)
    return reference(kind, base.type.space)
