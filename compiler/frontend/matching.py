"""`match`: each case becomes a condition, the assignments of what it captures, and its body. In: the statement. Out:
If.

The subject is evaluated once; one that is written out as a tuple, `match a, b:`, once an element. A pattern is tested
from left to right, and what it captures is assigned when all of it fits, before the guard is evaluated, as in Python.
What each kind of pattern means is in patterns.py.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, tree
from pybpf.compiler.frontend.conditions import condition
from pybpf.compiler.frontend.known import ContextRef, Known, Refused, TupleValue, describe
from pybpf.compiler.frontend.measure import is_simple
from pybpf.compiler.frontend.patterns import Case, both
from pybpf.compiler.frontend.scope import assigned_names
from pybpf.compiler.schema.types import BOOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any, TypeAlias

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

    Outcome: TypeAlias = "tuple[tree.Expr, State | None, State | None]"

__all__ = ["match_statement"]


def match_statement(checker: Checker, node: ast.Match) -> list[tree.Stmt]:
    """The whole statement."""
    parts: list[Any] = [part for case in node.cases for part in (case.pattern, case.guard) if part is not None]
    bound = assigned_names(parts)
    made: list[tree.Stmt] = []
    try:
        subject: Value = _subject(checker, node.subject, bound, made)
    except Refused:
        _bodies_only(checker, node)
        return []
    return made + _cases(checker, node.cases, subject)


def _bodies_only(checker: Checker, node: ast.Match) -> None:
    """After an error in the subject: look for errors in the bodies too."""
    assert checker.state is not None
    entry, after = dict(checker.state), None
    for case in node.cases:
        checker.state = dict(entry)
        checker.poison(assigned_names(case.pattern))
        checker.block(case.body)
        after = flow.join(after, checker.state)
    checker.state = flow.join(entry, after)


def _subject(checker: Checker, node: Any, bound: list[str], made: list[tree.Stmt]) -> Value:
    """What is matched: variables and constants, so that looking at it again is free.

    `bound` are the names that patterns and guards assign: a variable among them is looked at through a copy.
    """
    return _held(checker, checker.expr(node), [*bound, *assigned_names(node)], made)


def _held(checker: Checker, value: Value, bound: list[str], made: list[tree.Stmt]) -> Value:
    if isinstance(value, ContextRef):
        checker.fail(errors.NoSubject(value.span, "the context"))
    if isinstance(value, TupleValue):
        made += [tree.Assign(given.span, var, given) for var, given in value.lets]
        return TupleValue(tuple([_held(checker, item, bound, made) for item in value.items]), value.span)
    if isinstance(value, Known):
        if value.value is not None and not isinstance(value.value, (int, str, bytes, tuple)):
            checker.fail(errors.NoSubject(value.span, describe(value.value)))
        return value
    if isinstance(value, tree.Let) and isinstance(value.body, tree.Local) and bound.count(value.var.name) < 2:
        made.append(tree.Assign(value.span, value.var, value.value))
        return value.body
    if isinstance(value, tree.Const) or (is_simple(value) and not _reads(value, bound)):
        return value
    var = checker.temporary(value.type, value)
    made.append(tree.Assign(value.span, var, value))
    return checker.local(var, value.span)


def _reads(value: tree.Expr, names: list[str]) -> bool:
    while not isinstance(value, tree.Local):
        inner = getattr(value, "value", None)
        if not isinstance(inner, tree.Expr):
            return False
        value = inner
    return value.var.name in names


# --- cases


def _cases(checker: Checker, cases: list[Any], subject: Value) -> list[tree.Stmt]:
    """The first case, and the others where it does not fit."""
    if not cases:
        return []
    entry = checker.state
    assert entry is not None
    case = cases[0]
    span = checker.span(case.pattern)
    found = Case(checker)
    try:
        test, true, false = found.test(case.pattern, subject)
        if true is not None:
            checker.state = dict(true)
            captured = [(name, checker.assign(name, value(), where)) for name, value, where in found.captures]
            assigned = [statement for _, statements in captured for statement in statements]
            if case.guard is not None:
                test, true, refused = _guarded(checker, test, assigned, case.guard, span)
                false, assigned = flow.join(false, refused), []
            else:
                true = checker.state
    except Refused:
        checker.state = dict(entry)
        checker.poison(assigned_names([case.pattern, *([case.guard] if case.guard is not None else [])]))
        checker.block(case.body)
        after = checker.state
        checker.state = dict(entry)
        _cases(checker, cases[1:], subject)
        checker.state = flow.join(after, checker.state)
        return []
    if true is None:
        checker.state = false
        return _cases(checker, cases[1:], subject) if false is not None else []
    checker.state = dict(true)
    body = assigned + checker.block(case.body)
    after = checker.state
    if false is None:
        evaluated = [] if isinstance(test, tree.Const) else [tree.ExprStmt(span, test)]
        return [*evaluated, *body]
    checker.state = dict(false)
    orelse = _cases(checker, cases[1:], subject)
    checker.state = flow.join(after, checker.state)
    return [tree.If(span, test, body, orelse)]


def _guarded(checker: Checker, test: tree.Expr, assigned: list[tree.Stmt], guard: Any, span: Span) -> Outcome:
    """The pattern's test, then the captures, then the guard: one condition."""
    more, true, false = condition(checker, guard)
    for statement in reversed(assigned):
        assert isinstance(statement, tree.Assign)
        more = tree.Let(BOOL, statement.span, statement.var, statement.value, more)
    return both(test, more, span), true, false
