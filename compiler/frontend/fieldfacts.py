"""What a test tells of a number in memory: `if header.count > 64: return`, then `for i in range(header.count)`.

The number is read anew each time, so what is known of it lasts until something is written, or a function is called that
may write. It holds for memory that nobody else writes: the packet, and objects on the stack. Facts are kept in the
state under names that begin with a dot, made by the test of an `if` and used as a loop's bound.
"""

from __future__ import annotations

from pybpf.compiler.frontend import flow, ranges, tree
from pybpf.compiler.frontend.measure import bare, range_of
from pybpf.compiler.frontend.reach import children
from pybpf.compiler.schema.types import PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.ranges import Interval

__all__ = ["after_test", "forget_written", "known", "narrowed", "without"]

# Nodes that write nothing, where their parts don't.
_QUIET = frozenset((
    tree.Assign, tree.ExprStmt, tree.Return, tree.Break, tree.Continue, tree.Const, tree.NoneValue, tree.Local,
    tree.Context, tree.CtxLoad, tree.Field, tree.Index, tree.Compare, tree.Convert, tree.Wrap, tree.Unwrap, tree.Cast,
    tree.Binary, tree.Unary, tree.And, tree.Or, tree.Not, tree.Truth, tree.IsNone, tree.IfExp, tree.Let, tree.If,
    tree.PtrOffset, tree.FuncCall, tree.Global, tree.MapGet, tree.MapIndex, tree.MapContains,
))  # fmt: skip


_WRITES = (tree.Store, tree.Update, tree.Atomic)


def narrowed(checker: Checker, expr: tree.Expr, op: str, bound: Interval, state: State) -> State:
    """`state` with what `expr op bound` tells of a field."""
    key = _key(checker, expr)
    if key is None:
        return state
    fact = state.get(key)
    before = fact.range if fact is not None and fact.assigned else range_of(checker, expr)
    found = ranges.narrow(op, before, bound)
    if found is None or found == before:
        return state
    checker.told_of_fields = True
    return {**state, key: flow.Fact(range=found)}


def known(checker: Checker, expr: tree.Expr) -> Interval | None:
    """What tests have told of a field; None where they have told nothing."""
    key = _key(checker, expr)
    fact = checker.state.get(key) if key is not None and checker.state is not None else None
    return fact.range if fact is not None and fact.assigned else None


def _key(checker: Checker, expr: tree.Expr) -> str | None:
    found, name = bare(checker, expr), ""
    while isinstance(found, tree.Field):
        name, found = f"{found.field.name}.{name}", found.base
        while isinstance(found, (tree.Unwrap, tree.Wrap)):
            found = found.value
        if isinstance(found, tree.Local):
            kind = found.type
            kind = getattr(kind, "inner", kind)
            own = isinstance(kind, PtrType) and kind.space in (Space.PACKET, Space.STACK)
            return f".{found.var.name}.{name}" if own else None
    return None


def after_test(true: State | None, false: State | None, test: tree.Expr) -> tuple[State | None, State | None]:
    """What holds behind the test of an `if`, which may have written something after it was made."""
    return (true, false) if _is_quiet(test, None, set()) else (without(true), without(false))


def without(state: State | None) -> State | None:
    """The state without facts about fields."""
    return None if state is None else {name: fact for name, fact in state.items() if name[0] != "."}


def forget_written(checker: Checker, made: list[Any]) -> None:
    """After a statement that became these nodes: drop what no longer holds, or may not."""
    state = checker.state
    if state is None or not any(name[0] == "." for name in state):
        return
    changed: set[str] = set()
    # What lies in an `if` has been looked at when it was made.
    parts = [node.test if isinstance(node, tree.If) else node for node in made]
    if not all([_is_quiet(node, changed, set()) for node in parts]):
        checker.state = without(state)
    elif changed:
        checker.state = {
            name: fact for name, fact in state.items() if name[0] != "." or name.split(".")[1] not in changed
        }


def _is_quiet(node: Any, changed: set[str] | None, seen: set[tree.Function]) -> bool:
    """Whether it writes nothing but variables, whose names are added."""
    if isinstance(node, tree.Function):
        if node in seen:
            return True
        seen.add(node)
        return not node.outer and all([_is_quiet(statement, None, seen) for statement in node.body])
    if not isinstance(node, tree.Node):
        return True
    if type(node) not in _QUIET and not (isinstance(node, _WRITES) and _is_in_map(node.place)):
        return False
    if changed is not None and isinstance(node, (tree.Assign, tree.Let)):
        changed.add(node.var.name)
    return all([_is_quiet(child, changed, seen) for child in children(node)])


def _is_in_map(place: tree.Expr) -> bool:
    while isinstance(place, (tree.Field, tree.Index, tree.Unwrap, tree.Wrap)):
        place = place.base if isinstance(place, (tree.Field, tree.Index)) else place.value
    kind = getattr(place.type, "inner", place.type)
    return isinstance(place, (tree.MapIndex, tree.Global)) or (isinstance(kind, PtrType) and kind.space == Space.MAP)
