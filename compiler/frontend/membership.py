"""`in`: a key in a map, a value among others (constants, a tuple or an array), in a range, a text in a text.

Members become a chain of comparisons; all of them are evaluated first, as Python does.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kinds, tree
from pybpf.compiler.frontend.access import reference
from pybpf.compiler.frontend.conditions import constant_outcome, ordered
from pybpf.compiler.frontend.convert import type_of
from pybpf.compiler.frontend.innermaps import as_map
from pybpf.compiler.frontend.known import ContextRef, Known, TupleValue, describe
from pybpf.compiler.frontend.loops import is_builtin
from pybpf.compiler.frontend.measure import is_simple
from pybpf.compiler.frontend.operators import arithmetic
from pybpf.compiler.frontend.scope import assigned_names
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import BOOL, U64, ArrayType, BytesType, PtrType, TextType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any, TypeAlias

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

    Outcome: TypeAlias = "tuple[tree.Expr, State | None, State | None]"
    Let: TypeAlias = "tuple[tree.Var, tree.Expr]"
else:
    import _ast as ast

__all__ = ["contains"]

_MOST = 64  # more members than this belong into a map


def contains(checker: Checker, item: Value, container: Any, span: Span) -> Outcome:
    """`item in container`, where the container is a syntax node or a value."""
    if isinstance(container, (ast.Tuple, ast.List, ast.Set)):
        rebinds = bool(assigned_names(container))
        # as Python does, all members are evaluated before the first is compared
        let, item = _held(checker, item, rebinds)
        lets = [let] if let is not None else []
        members: list[Value] = []
        for element in container.elts:
            let, member = _held(checker, checker.expr(element), rebinds, len(container.elts) > 1)
            lets += [let] if let is not None else []
            members.append(member)
        return _wrapped(lets, _any_of(checker, item, members, span), span)
    if isinstance(container, ast.Call) and is_builtin(checker, container.func, range):
        return _range_call(checker, item, container, span)
    given = isinstance(container, (tree.Expr, Known, ContextRef, TupleValue))
    value = as_map(checker, container if given else checker.expr(container))
    if isinstance(value, Known):
        return _in_known(checker, item, value, span)
    kind = kinds.aggregate(type_of(value))
    if isinstance(value, tree.Expr) and isinstance(kind, ArrayType):
        return _in_array(checker, item, value, kind, span)
    if isinstance(value, tree.Expr) and isinstance(kind, (TextType, BytesType)):
        from pybpf.compiler.frontend.texts import contains as text_contains

        found = text_contains(checker, item, value, span)
        if isinstance(found, Known):
            return constant_outcome(checker, bool(found.value), span)
        assert isinstance(found, tree.Expr)
        return found, checker.state, checker.state
    checker.fail(errors.NoMembership(value.span, checker.text(value.span), f"of type {kinds.spell(type_of(value))}"))


def _in_known(checker: Checker, item: Value, value: Known, span: Span) -> Outcome:
    """`item` in a map, or in a constant."""
    schema = checker.schema(value)
    if isinstance(schema, MapSpec):
        from pybpf.compiler.frontend.maps import contains as map_contains

        return map_contains(checker, schema, item, span), checker.state, checker.state
    found: Any = value.value
    if isinstance(found, type) and issubclass(found, int) and hasattr(found, "__members__"):
        found = tuple(sorted({int(member) for member in vars(found)["_member_map_"].values()}))  # an IntEnum
    if isinstance(found, dict):
        found = tuple(found)
    if isinstance(found, (set, frozenset)):
        found = sorted(found, key=repr)
    if isinstance(found, (str, bytes)) and isinstance(item, Known) and isinstance(item.value, (str, bytes, int)):
        try:
            return constant_outcome(checker, item.value in found, span)  # type: ignore[operator]
        except TypeError as error:
            problem = f"raises TypeError: {error}"
            checker.fail(errors.ConstantLookup(span, f"`{checker.text(span)}`", problem))
    if isinstance(found, bytes):
        found = tuple(found)
    if isinstance(found, (tuple, list)):
        let, item = _held(checker, item, False)
        outcome = _any_of(checker, item, [Known(m, value.span) for m in found], span)
        return _wrapped([let] if let is not None else [], outcome, span)
    if isinstance(found, range):
        parts = [Known(n, value.span) for n in (found.start, found.stop)]
        return _in_range(checker, item, parts[0], parts[1], found.step, span)
    checker.fail(errors.NoMembership(value.span, checker.text(value.span), describe(found)))


def _held(checker: Checker, value: Value, rebinds: bool, wanted: bool = True) -> tuple[Let | None, Value]:
    """A value that is looked at several times: a variable of ours unless it is a constant, or one of the user's that
    nothing changes meanwhile.
    """
    if not wanted or not isinstance(value, tree.Expr) or isinstance(value, tree.Const):
        return None, value
    if is_simple(value) and not rebinds:
        return None, value
    if isinstance(value, tree.Let) and isinstance(value.body, tree.Local) and not rebinds:
        return (value.var, value.value), value.body
    var = checker.temporary(value.type, value)
    return (var, value), checker.local(var, value.span)


def _wrapped(lets: list[Let], outcome: Outcome, span: Span) -> Outcome:
    whole, true, false = outcome
    for var, value in reversed(lets):
        whole = tree.Let(BOOL, span, var, value, whole)
    if lets and (true is None or false is None):  # decided, but what it is about is evaluated all the same
        return whole, true or false, false or true
    return whole, true, false


def _any_of(checker: Checker, item: Value, members: list[Value], span: Span) -> Outcome:
    if len(members) > _MOST:
        checker.fail(errors.TooManyMembers(span, len(members), _MOST))
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
    return whole, true, false


def _in_array(checker: Checker, item: Value, array: tree.Expr, kind: ArrayType, span: Span) -> Outcome:
    """`x in event.ports`: a comparison with each element."""
    if kind.length > _MOST:
        name = checker.text(array.span)
        lines = (f"for element in {name}:", f"    if element == {checker.text(item.span)}:", "        ...")
        checker.fail(errors.NoMembership(array.span, name, f"an array of {kind.length} elements", lines))
    assert isinstance(array.type, PtrType)
    let, item = _held(checker, item, False)
    lets = [let] if let is not None else []
    let, held = _held(checker, array, False)
    lets += [let] if let is not None else []
    inner = reference(kind.element, array.type.space)
    assert isinstance(held, tree.Expr)
    members: list[Value] = [
        tree.Index(inner, array.span, held, tree.Const(U64, array.span, i)) for i in range(kind.length)
    ]
    return _wrapped(lets, _any_of(checker, item, members, span), span)


def _range_call(checker: Checker, item: Value, node: ast.Call, span: Span) -> Outcome:
    """`x in range(start, stop, step)`, where the bounds may be known only at run time."""
    if node.keywords or not 1 <= len(node.args) <= 3 or any(isinstance(a, ast.Starred) for a in node.args):
        checker.fail(errors.RangeArguments(checker.span(node)))
    rebinds = bool(assigned_names(node))
    let, item = _held(checker, item, rebinds)
    lets = [let] if let is not None else []
    parts: list[Value] = []
    for argument in node.args:
        let, part = _held(checker, checker.expr(argument), rebinds)
        lets += [let] if let is not None else []
        parts.append(part)
    if len(parts) == 1:
        parts.insert(0, Known(0, checker.span(node)))
    last = parts[2] if len(parts) == 3 else Known(1, checker.span(node))
    step = last.value if isinstance(last, Known) else None
    if not isinstance(step, int) or isinstance(step, bool) or step == 0:
        checker.fail(errors.RangeStep(last.span, checker.text(last.span), step == 0))
    return _wrapped(lets, _in_range(checker, item, parts[0], parts[1], int(step), span), span)


def _in_range(checker: Checker, item: Value, start: Value, stop: Value, step: int, span: Span) -> Outcome:
    """Two comparisons, and with a step the remainder of the distance from the start."""
    let, item = _held(checker, item, False)
    entry = checker.state
    whole, true, false = ordered(checker, ">=" if step > 0 else "<=", item, start, span)
    steps: list[tuple[str, Value]] = [("<" if step > 0 else ">", stop)]
    for op, bound in steps:
        if true is None:
            break
        checker.state = dict(true)
        more, true, other = ordered(checker, op, item, bound, span)
        whole, false = tree.And(BOOL, span, whole, more), flow.join(false, other)
    if abs(step) > 1 and true is not None:
        checker.state = dict(true)
        first, second = (item, start) if step > 0 else (start, item)
        distance = arithmetic(checker, "-", first, second, span)
        rest = arithmetic(checker, "%", distance, Known(abs(step), span), span)
        more, true, other = ordered(checker, "==", rest, Known(0, span), span)
        whole, false = tree.And(BOOL, span, whole, more), flow.join(false, other)
    checker.state = entry
    return _wrapped([let] if let is not None else [], (whole, true, false), span)
