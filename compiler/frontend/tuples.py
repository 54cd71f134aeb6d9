"""Tuples that are made when the program runs: `return a, b`, `pair = f(x)`, `(a, b) < (c, d)`.

A tuple has no place in memory. A variable that holds one is a variable for each item, under the names `t.0`, `t.1`; a
function that returns one assigns such variables; everything else takes a tuple apart where it meets one.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, flow, kinds, scope, tree
from pybpf.compiler.frontend.convert import convert, type_of
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.frontend.known import Known, TupleValue
from pybpf.compiler.frontend.measure import origins, range_of
from pybpf.compiler.later import later
from pybpf.compiler.schema.record import Record, replace
from pybpf.compiler.schema.types import BOOL, NONE, OptionalType, PtrType, Space, TupleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence
    from typing import Any

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.frontend.scope import Slot
    from pybpf.compiler.frontend.session import Instance
    from pybpf.compiler.schema.span import Span

    Outcome = tuple[tree.Expr, State | None, State | None]
    from pybpf.compiler.frontend.conditions import hold, negation, ordered
else:
    import _ast as ast
    hold = later("frontend.conditions", "hold")
    negation = later("frontend.conditions", "negation")
    ordered = later("frontend.conditions", "ordered")

__all__ = [
    "Part", "assign", "choose", "compare", "display", "elements", "give_back", "held", "is_tuple", "items_of", "kept",
    "length", "made", "read", "result_parts", "returned", "spread", "subscript", "tuple_of", "wrapped",
]  # fmt: skip


class Part(Record, eq=False):
    """An item of the tuple that a function returns: the variable that holds it, or what it is at compile time."""

    var: tree.Var | None
    known: Value | None
    fact: Fact


def is_tuple(value: Value) -> bool:
    return isinstance(value, TupleValue) or (isinstance(value, Known) and type(value.value) is tuple)


def made(items: Sequence[Value], span: Span) -> Value:
    """A tuple of values; a constant where all of them are."""
    if all(isinstance(item, Known) for item in items):
        return Known(tuple([item.value for item in items if isinstance(item, Known)]), span)
    return TupleValue(tuple(items), span)


def display(checker: Checker, node: ast.Tuple) -> Value:
    """`(a, *b, c)`."""
    return made(elements(checker, node.elts), checker.span(node))


def elements(checker: Checker, nodes: Sequence[Any]) -> list[Value]:
    """The values of expressions, some of which may be tuples with a star."""
    items: list[Value] = []
    for element in nodes:
        if isinstance(element, ast.Starred):
            items += _starred(checker, element)
        else:
            items.append(checker.expr(element))
    return items


def _starred(checker: Checker, node: ast.Starred) -> list[Value]:
    value = checker.expr(node.value)
    items = items_of(checker, value)
    if items is None:
        checker.fail(errors.NoStar(checker.span(node), checker.text(checker.span(node))))
    return items


def items_of(checker: Checker, value: Value) -> list[Value] | None:
    """The items of a tuple, to be evaluated in order; None for what is none. (A constant list will do.)"""
    if isinstance(value, TupleValue):
        return spread(checker, value)
    if isinstance(value, Known) and isinstance(value.value, (tuple, list)):
        return [access.outer(checker, item, value.span) for item in value.value]
    return None


def spread(checker: Checker, value: TupleValue) -> list[Value]:
    """The items of a tuple, the first of which evaluates what comes before all of them."""
    if not value.lets:
        return list(value.items)
    items = list(value.items)
    for i, item in enumerate(items):
        if isinstance(item, tree.Expr):
            items[i] = wrapped(checker, value.lets, item)
            return items
    checker.fail(errors.NoStar(value.span, checker.text(value.span)))


def wrapped(checker: Checker, lets: Sequence[tuple[tree.Var, tree.Expr]], item: tree.Expr) -> tree.Expr:
    """`item`, after the assignments."""
    whole = item
    bounds = range_of(checker, item)
    for var, value in reversed(lets):
        whole = tree.Let(item.type, item.span, var, value, whole)
        checker.ranges[whole] = bounds
    return whole


def length(value: Value) -> int | None:
    """How many items a tuple has, where that is all that is asked."""
    return len(value.items) if isinstance(value, TupleValue) and not value.lets else None


# --- variables


def tuple_of(value: Value) -> TupleType:
    """The type of a tuple, its constants taken for numbers."""
    if isinstance(value, TupleValue):
        return TupleType(tuple([type_of(item) for item in value.items]))
    assert isinstance(value, Known)
    return TupleType(tuple([type_of(Known(item, value.span)) for item in value.value]))


def parts_of(checker: Checker, name: str, count: int) -> list[str]:
    """The names of a tuple's variables, which are made where there are none."""
    names = [f"{name}.{i}" for i in range(count)]
    slot = checker.slots.get(name)
    declared = slot.declared if slot is not None else None
    for i, part in enumerate(names):
        if part not in checker.slots:
            kind = declared.items[i] if isinstance(declared, TupleType) else None
            checker.slots[part] = scope.Slot(part, kind, checker.presets.get(part))
    return names


def assign(checker: Checker, name: str, value: Value, span: Span) -> list[tree.Stmt]:
    """`name = value` of a tuple: all its items first, then the variables."""
    items = items_of(checker, value)
    assert items is not None and checker.state is not None
    names = parts_of(checker, name, len(items))
    statements: list[tree.Stmt] = []
    held: list[Value] = []
    for item in items:
        held.append(kept(checker, item, statements))
    for part, item in zip(names, held):
        statements += checker.assign(part, item, span)
    checker.state[name] = Fact()
    return statements


def kept(checker: Checker, item: Value, statements: list[tree.Stmt]) -> Value:
    """A value that later assignments don't change."""
    if isinstance(item, TupleValue):
        return TupleValue(tuple([kept(checker, i, statements) for i in spread(checker, item)]), item.span)
    if not isinstance(item, tree.Expr) or isinstance(item, tree.Const):
        return item
    var = checker.temporary(item.type, item)
    statements.append(tree.Assign(item.span, var, item))
    return checker.local(var, item.span)


def read(checker: Checker, slot: Slot, count: int, span: Span) -> Value:
    """The tuple that a variable holds."""
    return made([checker.read(f"{slot.name}.{i}", span) for i in range(count)], span)


# --- results of functions


def give_back(checker: Checker, value: Value, span: Span) -> list[tree.Stmt] | None:
    """`return value` of a tuple: variables named after the result are assigned. None for any other value, and for a
    constant while there is no other result.
    """
    if not is_tuple(value) or not checker.takes_tuple("return", value, span):
        return None
    return [*assign(checker, "return", value, span), tree.Return(span)]


def result_parts(checker: Checker, kind: TupleType) -> tuple[Part, ...]:
    """The items of a function's result, with what is known of them on all ways out."""
    found = []
    for i in range(len(kind.items)):
        name = f"return.{i}"
        slot = checker.slots[name]
        fact = None
        for state in checker.exits:
            seen = state.get(name)
            if seen is not None:
                fact = seen if fact is None else flow.join({name: fact}, {name: seen})[name]  # type: ignore[index]
        assert fact is not None
        found.append(Part(slot.var, slot.alias if slot.var is None else None, fact))
    return tuple(found)


def returned(checker: Checker, instance: Instance, call: tree.Expr, span: Span) -> Value:
    """The tuple that a call of a function returns, kept in variables of the caller's."""
    assert checker.state is not None
    lets = [(checker.temporary(NONE, call), call)]
    items: list[Value] = []
    for part in instance.parts:
        if part.var is None:
            assert part.known is not None
            items.append(replace(part.known, span=span))
            continue
        value = tree.Local(part.var.type, span, part.var)
        checker.ranges[value] = part.fact.range
        var = checker.temporary(part.var.type, value)
        inner = part.var.type.inner if isinstance(part.var.type, OptionalType) else part.var.type
        refers = isinstance(inner, PtrType) and inner.space in (Space.STACK, Space.MAP)
        where = frozenset([span]) if refers else frozenset()
        if refers and isinstance(call, tree.FuncCall):
            for argument in call.args:
                where |= origins(checker, argument)
            if checker.repeats:
                flow.stale(checker.state, span, "the object was made anew by a later iteration", span)
        checker.state[var.name] = Fact(range=part.fact.range, presence=part.fact.presence, source=span, origins=where)
        lets.append((var, value))
        items.append(checker.local(var, span))
    return TupleValue(tuple(items), span, tuple(lets))


# --- operations


def subscript(checker: Checker, value: Value, node: Any, span: Span) -> Value:
    """`pair[1]`, `triple[:2]`: the index is a constant."""
    if isinstance(value, Known):
        value = TupleValue(tuple(items_of(checker, value) or ()), value.span)
    assert isinstance(value, TupleValue)
    if isinstance(node, ast.Slice):
        bounds = [None if part is None else checker.expr(part) for part in (node.lower, node.upper, node.step)]
        if not all(part is None or (isinstance(part, Known) and isinstance(part.value, int)) for part in bounds):
            checker.fail(errors.TupleIndex(span, checker.text(span), len(value.items)))
        lower, upper, step = [part.value if isinstance(part, Known) else None for part in bounds]
        chosen: Any = range(len(value.items))[lower:upper:step]
    else:
        index = checker.expr(node)
        count = len(value.items)
        if not isinstance(index, Known) or not isinstance(index.value, int):
            checker.fail(errors.TupleIndex(span, checker.text(span), count))
        if not -count <= index.value < count:
            checker.fail(errors.TupleIndex(span, checker.text(span), count, int(index.value)))
        chosen = int(index.value) % count
    lets: list[tuple[tree.Var, tree.Expr]] = []
    items = held(checker, value, lets)
    if not isinstance(chosen, int):
        some = [items[i] for i in chosen]
        return TupleValue(tuple(some), span, tuple(lets)) if lets else made(some, span)
    item = items[chosen]
    if isinstance(item, TupleValue):
        return TupleValue(item.items, span, tuple(lets))
    return wrapped(checker, lets, item) if isinstance(item, tree.Expr) else item


def choose(
    checker: Checker, test: tree.Expr, then: tuple[Value, State | None], other: tuple[Value, State | None], span: Span
) -> Value:
    """`(a, b) if test else (c, d)`: each side assigns the same variables, one for each item."""
    joined = kinds.join(tuple_of(then[0]), tuple_of(other[0])) if is_tuple(then[0]) and is_tuple(other[0]) else None
    if not isinstance(joined, TupleType):
        one, two = kinds.spell(type_of(then[0])), kinds.spell(type_of(other[0]))
        checker.fail(errors.ChoiceDisagrees(other[0].span, one, two, then[0].span))
    outer = checker.state
    variables: list[tuple[tree.Var, Fact]] = []
    _variables(checker, kinds.settle(joined), span, variables)
    sides: list[tree.Expr] = []
    facts: list[list[Fact]] = []
    for value, state in (then, other):
        checker.state = state
        lets: list[tuple[tree.Var, tree.Expr]] = []
        known: list[Fact] = []
        flat = _flattened(checker, value, lets)
        for (var, _), item in zip(variables, flat):
            expr = convert(checker, item, var.type, "this item")
            known.append(checker.fact(expr))
            lets.append((var, expr))
        sides.append(wrapped(checker, lets, tree.Const(BOOL, span, 1)))
        facts.append(known)
    checker.state = flow.join(then[1], other[1]) or outer
    whole = tree.IfExp(BOOL, span, test, sides[0], sides[1])
    done = checker.temporary(BOOL, whole)
    assert checker.state is not None
    for (var, _), a, b in zip(variables, *facts):
        merged = flow.join({var.name: a}, {var.name: b})
        assert merged is not None
        checker.state[var.name] = merged[var.name]
    names = iter([var for var, _ in variables])
    items = _shaped(checker, kinds.settle(joined), names, span)
    assert isinstance(items, TupleValue)
    return TupleValue(items.items, span, ((done, whole),))


def _variables(checker: Checker, kind: Any, span: Span, found: list[tuple[tree.Var, Fact]]) -> None:
    """A variable for each item of a tuple, and of those inside it."""
    if isinstance(kind, TupleType):
        for item in kind.items:
            _variables(checker, item, span, found)
    else:
        found.append((checker.temporary(kind, tree.NoneValue(kind, span)), Fact()))


def _flattened(checker: Checker, value: Value, lets: list[tuple[tree.Var, tree.Expr]]) -> list[Value]:
    if not is_tuple(value):
        return [value]
    return [flat for item in held(checker, value, lets) for flat in _flattened(checker, item, lets)]


def _shaped(checker: Checker, kind: Any, variables: Any, span: Span) -> Value:
    if isinstance(kind, TupleType):
        return TupleValue(tuple([_shaped(checker, item, variables, span) for item in kind.items]), span)
    return checker.local(next(variables), span)


def compare(checker: Checker, op: str, lhs: Value, rhs: Value, span: Span) -> Outcome | None:
    """A comparison of tuples, item by item from the left; None where one side is no tuple."""
    if not (is_tuple(lhs) and is_tuple(rhs)):
        return None
    lets: list[tuple[tree.Var, tree.Expr]] = []
    sides: list[list[Value]] = []
    for side in (lhs, rhs):
        sides.append(held(checker, side, lets))
    entry = checker.state
    if op in ("==", "!="):
        whole = _equal(checker, sides[0], sides[1], span)
        if op == "!=":
            whole = negation(whole, span)
    else:
        whole = _less(checker, op, sides[0], sides[1], span)
    checker.state = entry
    if not isinstance(whole, tree.Const) or lets:
        whole = wrapped(checker, lets, whole)
    true = None if isinstance(whole, tree.Const) and not whole.value else entry
    false = None if isinstance(whole, tree.Const) and whole.value else entry
    return whole, true, false


def held(checker: Checker, value: Value, lets: list[tuple[tree.Var, tree.Expr]]) -> list[Value]:
    """The items of a tuple as values that may be used several times, after `lets`."""
    if isinstance(value, TupleValue):
        lets += value.lets
        items: Sequence[Value] = value.items
    else:
        items = items_of(checker, value) or ()
    found: list[Value] = []
    for item in items:
        if isinstance(item, TupleValue):
            inner = held(checker, item, lets)
            found.append(TupleValue(tuple(inner), item.span))
        else:
            found.append(hold(checker, item, lets, True))
    return found


def _equal(checker: Checker, lhs: list[Value], rhs: list[Value], span: Span) -> tree.Expr:
    if len(lhs) != len(rhs):
        return tree.Const(BOOL, span, 0)
    whole: tree.Expr = tree.Const(BOOL, span, 1)
    for a, b in zip(reversed(lhs), reversed(rhs)):
        whole = _and(_compared(checker, "==", a, b, span), whole, span)
    return whole


def _less(checker: Checker, op: str, lhs: list[Value], rhs: list[Value], span: Span) -> tree.Expr:
    """The first pair that differs decides; where none does, the lengths."""
    strict = op[0]
    a, b = len(lhs), len(rhs)
    decided = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
    whole: tree.Expr = tree.Const(BOOL, span, int(decided))
    for x, y in reversed(list(zip(lhs, rhs))):
        same = _compared(checker, "==", x, y, span)
        first = _compared(checker, strict, x, y, span)
        whole = _or(first, _and(same, whole, span), span)
    return whole


def _compared(checker: Checker, op: str, a: Value, b: Value, span: Span) -> tree.Expr:
    entry = checker.state
    expr, _, _ = ordered(checker, op, a, b, span)
    checker.state = entry
    return expr


def _and(a: tree.Expr, b: tree.Expr, span: Span) -> tree.Expr:
    if isinstance(a, tree.Const):
        return b if a.value else a
    if isinstance(b, tree.Const):
        return a if b.value else b
    return tree.And(BOOL, span, a, b)


def _or(a: tree.Expr, b: tree.Expr, span: Span) -> tree.Expr:
    if isinstance(a, tree.Const):
        return a if a.value else b
    if isinstance(b, tree.Const) and not b.value:
        return a
    return tree.Or(BOOL, span, a, b)
