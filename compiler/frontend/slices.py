"""`value[a:b]` of a constant, a text, bytes or an array. (Tuples are dealt with by tuples.py, texts by texts.py.)"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.access import check_writable, outer, reference
from pybpf.compiler.frontend.construct import array_of, numbers_of
from pybpf.compiler.frontend.convert import constant, stored
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.wording import slice_of
from pybpf.compiler.schema.types import U8, U64, ArrayType, BytesType, PtrType, Space, TextType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

__all__ = ["assign_slice", "sliced"]

_MOST = 64  # elements of an array that are copied one by one


def sliced(checker: Checker, base: Value, node: ast.Subscript, span: Span) -> Value:
    """A part of a sequence."""
    kind = kinds.aggregate(base.type) if isinstance(base, tree.Expr) else None
    if isinstance(base, tree.Expr) and isinstance(kind, (TextType, BytesType)):
        from pybpf.compiler.frontend import texts

        return texts.slice_of(checker, base, node, span)
    at = _bounds(checker, node, span)
    if isinstance(base, Known) and isinstance(base.value, (str, bytes, list, range)):
        return outer(checker, base.value[at], span)
    if isinstance(base, tree.Expr) and isinstance(kind, ArrayType):
        return _array(checker, base, kind, range(kind.length)[at], node, span)
    checker.fail(errors.NoSlice(span, *slice_of(checker, node)))


def _bounds(checker: Checker, node: ast.Subscript, span: Span, target: bool = False) -> slice:
    """The bounds, which must be constants."""
    parts: Any = node.slice
    bounds = [None if part is None else checker.expr(part) for part in (parts.lower, parts.upper, parts.step)]
    known = [b.value for b in bounds if isinstance(b, Known) and (b.value is None or isinstance(b.value, int))]
    if len(known) + bounds.count(None) != 3 or 0 in known[2:]:
        checker.fail(errors.NoSlice(span, *slice_of(checker, node), target=target))
    return slice(*[b.value if isinstance(b, Known) else None for b in bounds])


def assign_slice(checker: Checker, node: ast.Subscript, value: Value, span: Span) -> list[tree.Stmt]:
    """`array[a:b] = other`, of as many elements: one assignment after the other."""
    from pybpf.compiler.frontend.assignment import store

    where = checker.span(node)
    base = checker.expr(node.value)
    kind = kinds.aggregate(base.type) if isinstance(base, tree.Expr) else None
    if isinstance(kind, TextType):
        checker.fail(errors.TextItem(where, checker.text(checker.span(node.value))))
    at = _bounds(checker, node, where, True)
    if isinstance(kind, BytesType):
        checker.fail(errors.NoSlice(where, *slice_of(checker, node), target=True, size=kind.size))
    if not isinstance(base, tree.Expr) or not isinstance(kind, ArrayType) or not isinstance(base.type, PtrType):
        checker.fail(errors.NoSlice(where, *slice_of(checker, node), target=True))
    places = range(kind.length)[at]
    if not 0 < len(places) <= _MOST:
        checker.fail(errors.NoSlice(where, *slice_of(checker, node), target=True))
    wanted = ArrayType(kind.element, len(places))
    held_bytes = BytesType(len(places))
    if isinstance(value, tree.Expr) and kind.element == U8 and kinds.aggregate(value.type) == held_bytes:
        copy = tree.Copy(PtrType(held_bytes, Space.STACK), value.span, value)
        given: tree.Expr = tree.Cast(PtrType(wanted, Space.STACK), value.span, copy)
    else:
        given = stored(checker, numbers_of(value), wanted, f"`{checker.text(where)}`")
    assert isinstance(given.type, PtrType)
    made: list[tree.Stmt] = []
    held = []
    for expr in (given, base):
        var = checker.temporary(expr.type, expr)
        made.append(tree.Assign(span, var, expr))
        held.append(checker.local(var, expr.span))
    from_kind, to_kind = reference(kind.element, given.type.space), reference(kind.element, base.type.space)
    for i, place in enumerate(places):
        item = tree.Index(from_kind, span, held[0], constant(checker, i, U64, span))
        target = tree.Index(to_kind, where, held[1], constant(checker, place, U64, where))
        check_writable(checker, target, where)
        made.append(store(checker, target, item, span, checker.text(where)))
    return made


def _array(checker: Checker, base: tree.Expr, kind: ArrayType, at: range, node: ast.Subscript, span: Span) -> Value:
    """A new array of some elements, as a slice of a list is a new list."""
    if not 0 < len(at) <= _MOST:
        checker.fail(errors.NoSlice(span, *slice_of(checker, node)))
    assert isinstance(base.type, PtrType)
    held = checker.temporary(base.type, base)
    array = checker.local(held, base.span)
    inner = reference(kind.element, base.type.space)
    items = [tree.Index(inner, span, array, constant(checker, i, U64, span)) for i in at]
    made = array_of(checker, ArrayType(kind.element, len(at)), items, span)
    return tree.Let(made.type, span, held, base, made)
