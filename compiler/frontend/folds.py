"""`sum`, `any`, `all`, `min` and `max` of several values: an array, a tuple, a range, or a generator over one.

    any(port == 22 for port in event.ports)        sum(event.counts)        max(a, b, c)

They are written out, an element after the other; so there is a most of elements. `any` and `all` stop at the first that
decides, as in Python.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kinds, tree
from pybpf.compiler.frontend.access import outer, reference
from pybpf.compiler.frontend.conditions import condition, negation, truth
from pybpf.compiler.frontend.convert import constant, convert, maybe_none, type_of
from pybpf.compiler.frontend.expressions import unify
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.frontend.known import Known, TupleValue
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.operators import arithmetic
from pybpf.compiler.frontend.scope import Slot
from pybpf.compiler.schema.types import BOOL, U8, U64, ArrayType, BytesType, OptionalType, PtrType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeAlias

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

    Lets: TypeAlias = "list[tuple[tree.Var, tree.Expr]]"
else:
    import _ast as ast

__all__ = ["quantified", "total", "values", "wrapped"]

_MOST = 64  # elements that are written out


def _elements(checker: Checker, node: Any, what: str) -> tuple[list[Value], Lets]:
    """The elements of a sequence, to be evaluated after the variables of ours in `lets` were assigned."""
    lets: Lets = []
    if isinstance(node, (ast.List, ast.Tuple)) and not any(isinstance(e, ast.Starred) for e in node.elts):
        found = [checker.expr(element) for element in node.elts]
    else:
        found = _of_value(checker, checker.expr(node), what, lets)
    if len(found) > _MOST:
        _too_many(checker, checker.span(node), what, len(found))
    return found, lets


def _too_many(checker: Checker, span: Span, what: str, count: int) -> NoReturn:
    takes = f"is written out, so it takes at most {_MOST} elements, and there are {count}"
    checker.fail(errors.CallArguments(span, f"{what}()", takes, f"for element in {checker.text(span)}:"))


def _of_value(checker: Checker, value: Value, what: str, lets: Lets) -> list[Value]:
    span = value.span
    if isinstance(value, TupleValue):
        from pybpf.compiler.frontend.tuples import held

        return held(checker, value, lets)
    if isinstance(value, Known) and isinstance(value.value, (tuple, list, range, bytes)):
        if len(value.value) > _MOST:
            _too_many(checker, span, what, len(value.value))
        return [outer(checker, item, span) for item in value.value]
    kind = kinds.aggregate(type_of(value))
    if isinstance(value, tree.Expr) and isinstance(value.type, OptionalType):
        maybe_none(checker, value)
    if not isinstance(value, tree.Expr) or not isinstance(kind, (ArrayType, BytesType)):
        takes = f"takes an array, a tuple, a range, or a generator over one, not {kinds.spell(type_of(value))}"
        checker.fail(errors.CallArguments(span, f"{what}()", takes, f"{what}(event.ports)"))
    assert isinstance(value.type, PtrType)
    var = checker.temporary(value.type, value)
    lets.append((var, value))
    array = checker.local(var, span)
    count = kind.length if isinstance(kind, ArrayType) else kind.size
    if count > _MOST:
        _too_many(checker, span, what, count)
    element = reference(kind.element, value.type.space) if isinstance(kind, ArrayType) else U8
    return [tree.Index(element, span, array, constant(checker, i, U64, span)) for i in range(count)]


def wrapped(lets: Lets, value: tree.Expr) -> tree.Expr:
    """`value` with variables of ours assigned before it."""
    for var, given in reversed(lets):
        value = tree.Let(value.type, value.span, var, given, value)
    return value


# --- generators


class _Walk:
    """The elements of a call's argument: those of a sequence, or what a generator makes of them."""

    def __init__(self, checker: Checker, node: Any, what: str) -> None:
        self.checker = checker
        self.generator: Any = node if isinstance(node, (ast.GeneratorExp, ast.ListComp)) else None
        self.name = ""
        source = node
        if self.generator is not None:
            loop = self.generator.generators[0]
            several = len(self.generator.generators) > 1 or loop.is_async
            if several or not isinstance(loop.target, ast.Name):
                span = checker.span(node)
                checker.fail(errors.NoComprehension(span, "a generator of several variables"))
            self.name, source = loop.target.id, loop.iter
        self.items, self.lets = _elements(checker, source, what)

    def each(self, item: Value, combine: Callable[[tree.Expr | None, Any], Value | None]) -> Value | None:
        """One element: `combine` of the generator's `if` (None: it is always true) and the syntax node of the element
        (None: it is the item itself). None where the `if` is never true.
        """
        checker = self.checker
        if self.generator is None:
            return combine(None, None)
        assert checker.state is not None
        before, fact = checker.slots.get(self.name), checker.state.get(self.name)
        slot = checker.slots[self.name] = Slot(self.name)
        lets: Lets = []
        if isinstance(item, tree.Expr):
            slot.var = tree.Var(self.name, item.type, item.span)
            lets.append((slot.var, item))
            checker.state[self.name] = checker.fact(item)
        else:
            slot.alias = item
            checker.state[self.name] = Fact()
        try:
            made = self._tested(combine)
        finally:
            if before is None:
                del checker.slots[self.name]
            else:
                checker.slots[self.name] = before
            if checker.state is not None:
                if fact is None:
                    checker.state.pop(self.name, None)
                else:
                    checker.state[self.name] = fact
        return wrapped(lets, made) if isinstance(made, tree.Expr) else made

    def _tested(self, combine: Callable[[tree.Expr | None, Any], Value | None]) -> Value | None:
        checker = self.checker
        test: tree.Expr | None = None
        out: State | None = None
        for node in self.generator.generators[0].ifs:
            more, true, false = condition(checker, node)
            if true is None:
                checker.state = flow.join(out, false)
                return None
            if not isinstance(more, tree.Const):
                test = more if test is None else tree.And(BOOL, more.span, test, more)
            checker.state, out = dict(true), flow.join(out, false)
        made = combine(test, self.generator.elt)
        checker.state = flow.join(checker.state, out)
        return made


def quantified(checker: Checker, node: ast.Call, span: Span, every: bool) -> Value:
    """`any(...)` (`every`: `all(...)`): a BOOL."""
    walk = _Walk(checker, node.args[0], "all" if every else "any")
    whole: tree.Expr | None = None
    for item in walk.items:

        def combine(test: tree.Expr | None, part: Any, item: Value = item) -> Value:
            found, true, false = condition(checker, part) if part is not None else truth(checker, item, span)
            checker.state = flow.join(true, false)
            if test is None:
                return found
            return tree.Or(BOOL, span, negation(test, span), found) if every else tree.And(BOOL, span, test, found)

        entry = checker.state
        one = walk.each(item, combine)
        checker.state = flow.join(entry, checker.state)  # it may not come to this element
        if isinstance(one, tree.Expr):
            whole = one if whole is None else (tree.And if every else tree.Or)(BOOL, span, whole, one)
    return Known(every, span) if whole is None else wrapped(walk.lets, whole)


def total(checker: Checker, node: ast.Call, span: Span) -> Value:
    """`sum(...)`."""
    walk = _Walk(checker, node.args[0], "sum")
    result: Value = checker.expr(node.args[1]) if len(node.args) == 2 else Known(0, span)

    def combine(test: tree.Expr | None, part: Any) -> Value:
        given = checker.expr(part)
        if test is None:
            return given
        zero = Known(0, span)
        kind = unify(checker, given, zero, None)
        made = tree.IfExp(
            kind, span, test, convert(checker, given, kind, "sum()"), convert(checker, zero, kind, "sum()")
        )
        range_of(checker, made)
        return made

    for item in walk.items:
        one = item if walk.generator is None else walk.each(item, combine)
        if one is not None:
            result = arithmetic(checker, "+", result, one, span)
    return wrapped(walk.lets, result) if isinstance(result, tree.Expr) else result


def values(checker: Checker, node: Any, what: str) -> tuple[list[Value], Lets]:
    """What `min()` and `max()` of one argument compare."""
    walk = _Walk(checker, node, what)
    if walk.generator is None:
        return walk.items, walk.lets
    span = checker.span(node)

    def combine(test: tree.Expr | None, part: Any) -> Value:
        if test is not None:
            checker.fail(errors.NoComprehension(span, "a generator with an `if` in min() or max()"))
        return checker.expr(part)

    made = [walk.each(item, combine) for item in walk.items]
    return [value for value in made if value is not None], walk.lets
