"""`k in m` on maps, and `x in (1, 2, 3)` on constants, which becomes a chain of comparisons."""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kinds, tree
from pybpf.compiler.frontend.convert import type_of
from pybpf.compiler.frontend.known import ContextRef, Known, describe
from pybpf.compiler.frontend.measure import is_simple
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import BOOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast

__all__ = ["contains"]

_MOST = 64  # more members than this belong into a map


def contains(checker: Checker, item: Value, container: Any, span: Span) -> tuple[tree.Expr, State | None, State | None]:
    """`item in container`, where the container is a syntax node or a value."""
    if isinstance(container, (ast.Tuple, ast.List, ast.Set)):
        members = [checker.expr(element) for element in container.elts]
        return _any_of(checker, item, members, span)
    value = container if isinstance(container, (tree.Expr, Known, ContextRef)) else checker.expr(container)
    if isinstance(value, Known):
        schema = checker.schema(value)
        if isinstance(schema, MapSpec):
            from pybpf.compiler.frontend.maps import contains as map_contains

            return map_contains(checker, schema, item, span), checker.state, checker.state
        found: Any = value.value
        if isinstance(found, dict):
            found = tuple(found)
        if isinstance(found, (set, frozenset)):
            found = sorted(found, key=repr)
        if isinstance(found, (tuple, list)):
            return _any_of(checker, item, [Known(m, value.span) for m in found], span)
        if isinstance(found, range):
            return _in_range(checker, item, found, span, value.span)
        checker.fail(errors.NoMembership(value.span, checker.text(value.span), describe(found)))
    checker.fail(errors.NoMembership(value.span, checker.text(value.span), f"of type {kinds.spell(type_of(value))}"))


def _any_of(
    checker: Checker, item: Value, members: list[Value], span: Span
) -> tuple[tree.Expr, State | None, State | None]:
    from pybpf.compiler.frontend.conditions import ordered

    if len(members) > _MOST:
        checker.fail(errors.TooManyMembers(span, len(members), _MOST))
    let = None
    if isinstance(item, tree.Expr) and not is_simple(item):
        var = checker.temporary(item.type, item)
        let, item = (var, item), checker.local(var, item.span)
    entry = checker.state
    whole: tree.Expr | None = None
    true: State | None = None
    false: State | None = entry
    for member in members:
        if false is None:
            break
        checker.state = dict(false)
        expr, yes, no = ordered(checker, "==", item, member, span)
        true, false = flow.join(true, yes), no
        if whole is None or (isinstance(expr, tree.Const) and expr.value):
            whole = expr
        elif not isinstance(expr, tree.Const):
            whole = expr if isinstance(whole, tree.Const) else tree.Or(BOOL, span, whole, expr)
    checker.state = entry
    if whole is None:
        whole = tree.Const(BOOL, span, 0)
    if let is not None:
        whole = tree.Let(BOOL, span, let[0], let[1], whole)
    return whole, true, false


def _in_range(
    checker: Checker, item: Value, members: range, span: Span, where: Span
) -> tuple[tree.Expr, State | None, State | None]:
    """`x in range(a, b)`: two comparisons."""
    from pybpf.compiler.frontend.conditions import ordered

    if members.step != 1:
        text = checker.text(item.span)
        least, most = sorted((members[0], members[-1])) if members else (0, 0)
        offset = text if least % abs(members.step) == 0 else f"({text} - {least})"
        lines = (f"{least} <= {text} <= {most} and {offset} % {abs(members.step)} == 0",)
        checker.fail(errors.NoMembership(where, checker.text(where), "a range with a step", lines))
    let = None
    if isinstance(item, tree.Expr) and not is_simple(item):
        var = checker.temporary(item.type, item)
        let, item = (var, item), checker.local(var, item.span)
    entry = checker.state
    first, true, low = ordered(checker, ">=", item, Known(members.start, span), span)
    whole: tree.Expr = first
    if true is not None:
        checker.state = dict(true)
        second, true, high = ordered(checker, "<", item, Known(members.stop, span), span)
        whole, low = tree.And(BOOL, span, first, second), flow.join(low, high)
    checker.state = entry
    if let is not None:
        whole = tree.Let(BOOL, span, let[0], let[1], whole)
    return whole, true, low
