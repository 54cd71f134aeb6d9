"""The patterns of `match`, a function each. In: a pattern and what it is matched with. Out: a condition, and what holds
if the pattern fits and if it does not.

`_PATTERNS` maps each kind of pattern to its function (case, pattern, subject); the names that it captures are added to
the case's `captures`. A subject is a variable, a constant, or a tuple of such, so looking at it again is free.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, flow, kinds, tree
from pybpf.compiler.frontend.conditions import identity, negation, ordered, truth
from pybpf.compiler.frontend.convert import convert, materialize, type_of
from pybpf.compiler.frontend.equality import reread
from pybpf.compiler.frontend.known import Known, TupleValue, describe
from pybpf.compiler.frontend.measure import is_simple, range_of
from pybpf.compiler.frontend.scope import closest
from pybpf.compiler.schema.types import (
    BOOL,
    NONE,
    U64,
    ArrayType,
    BoolType,
    BytesType,
    OptionalType,
    PtrType,
    StructType,
    TextType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeAlias

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span

    Outcome: TypeAlias = "tuple[tree.Expr, State | None, State | None]"
else:
    import _ast as ast

__all__ = ["Case", "both"]


class Case:
    """One case in the making: the names that its pattern captures, in order, with what gives their values."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.captures: list[tuple[str, Callable[[], Value], Span]] = []

    def test(self, pattern: Any, subject: Value) -> Outcome:
        """Whether the pattern fits, from the checker's current state."""
        entry = self.checker.state
        assert entry is not None
        self.checker.state = dict(entry)
        try:
            return _PATTERNS[type(pattern)](self, pattern, subject)
        finally:
            self.checker.state = entry

    def always(self, pattern: Any) -> Outcome:
        return tree.Const(BOOL, self.checker.span(pattern), 1), self.checker.state, None


def both(first: tree.Expr, second: tree.Expr, span: Span) -> tree.Expr:
    """One condition and then another."""
    if isinstance(first, tree.Const) and first.value:
        return second
    return first if isinstance(second, tree.Const) and second.value else tree.And(BOOL, span, first, second)


# --- subjects


def _present(case: Case, subject: Value, use: Callable[[Value], Outcome]) -> Outcome:
    """`use` of the subject; where it is an Optional, of the value in it, if there is one."""
    checker = case.checker
    subject = reread(checker, subject)
    if not (isinstance(subject, tree.Expr) and isinstance(subject.type, OptionalType)):
        return use(subject)
    absent, none, some = identity(checker, subject, Known(None, subject.span), subject.span, "is")
    if some is None:
        return absent, None, none
    checker.state = dict(some)
    test, true, false = use(reread(checker, subject))
    return both(negation(absent, subject.span), test, subject.span), true, flow.join(none, false)


def _never(case: Case, pattern: Any, subject: Value, what: str) -> NoReturn:
    checker = case.checker
    text = checker.text(checker.span(pattern))
    if isinstance(subject, TupleValue):
        given = f"a tuple of {len(subject.items)}"
    elif isinstance(subject, Known):
        given = describe(subject.value)
    else:
        given = kinds.spell(type_of(subject))
    checker.fail(errors.NeverMatches(checker.span(pattern), text, given, what))


# --- patterns


def _value(case: Case, pattern: ast.MatchValue, subject: Value) -> Outcome:
    """A literal, or a dotted name."""
    checker = case.checker
    if isinstance(subject, TupleValue):
        _never(case, pattern, subject, "one value is no tuple")
    wanted = checker.expr(pattern.value)
    span = checker.span(pattern)
    return _present(case, subject, lambda held: ordered(checker, "==", held, wanted, span))


def _singleton(case: Case, pattern: ast.MatchSingleton, subject: Value) -> Outcome:
    """None, True and False, by identity: True is not 1."""
    checker = case.checker
    span = checker.span(pattern)
    if isinstance(subject, TupleValue):
        _never(case, pattern, subject, f"{pattern.value} is no tuple")
    if pattern.value is None:
        return identity(checker, reread(checker, subject), Known(None, span), span, "is")

    def use(held: Value) -> Outcome:
        if not isinstance(type_of(held), BoolType):
            _never(case, pattern, subject, "only a bool is True or False; a number is matched by a number")
        test, true, false = truth(checker, held, span)
        return (test, true, false) if pattern.value else (negation(test, span), false, true)

    return _present(case, subject, use)


def _as(case: Case, pattern: ast.MatchAs, subject: Value) -> Outcome:
    """`_`, `name`, and `pattern as name`."""
    checker = case.checker
    outcome = case.always(pattern) if pattern.pattern is None else case.test(pattern.pattern, subject)
    if pattern.name is not None:
        span = checker.span(pattern)
        case.captures.append((pattern.name, lambda: reread(checker, subject), span))
    return outcome


def _or(case: Case, pattern: ast.MatchOr, subject: Value) -> Outcome:
    """`a | b`: the first that fits. What they capture goes through variables of ours, set by the one that fits."""
    checker = case.checker
    span = checker.span(pattern)
    entry = checker.state
    assert entry is not None
    options: list[tuple[tree.Expr, State | None, list[tuple[str, Value]]]] = []
    false: State | None = entry
    where: dict[str, Span] = {}
    for option in pattern.patterns:
        if false is None:
            break
        checker.state = dict(false)
        own = Case(checker)
        test, true, false = own.test(option, subject)
        values: list[tuple[str, Value]] = []
        if true is not None:
            checker.state = dict(true)
            values = [(name, value()) for name, value, _ in own.captures]
            where.update({name: spot for name, _, spot in own.captures})
            options.append((test, checker.state, values))
    variables = _captured(case, options, where)
    whole: tree.Expr = tree.Const(BOOL, span, 0)
    true = None
    for test, state, values in options:
        checker.state = state
        kept: tree.Expr = tree.Const(BOOL, span, 1)
        for name, value in reversed(values):
            converted = convert(checker, value, variables[name].type, f"`{name}`")
            kept = tree.Let(BOOL, value.span, variables[name], converted, kept)
        test = both(test, kept, span)
        whole = test if isinstance(whole, tree.Const) and not whole.value else tree.Or(BOOL, span, whole, test)
        if state is not None:
            noted = {variables[name].name: checker.fact(materialize(checker, value)) for name, value in values}
            true = flow.join(true, {**state, **noted})
    checker.state = entry
    return whole, true, false


def _captured(case: Case, options: list[Any], where: dict[str, Span]) -> dict[str, tree.Var]:
    """A variable for each name that the alternatives capture, of a type that fits them all."""
    checker = case.checker
    variables: dict[str, tree.Var] = {}
    for name, spot in where.items():
        joined = None
        for _, _, values in options:
            given = next((value for other, value in values if other == name), None)
            if given is not None:
                seen = type_of(given)
                both = kinds.join(joined, seen)
                if both is None or isinstance(both, kinds.KnownType):
                    first = kinds.spell(joined) if joined is not None else describe(getattr(given, "value", None))
                    checker.fail(errors.Disagree(given.span, name, first, kinds.spell(seen), spot))
                joined = both
        assert joined is not None
        first_value = next(value for _, _, values in options for other, value in values if other == name)
        var = checker.temporary(kinds.settle(joined), materialize(checker, first_value))
        variables[name] = var
        case.captures.append((name, lambda var=var, spot=spot: checker.local(var, spot), spot))  # type: ignore[misc]
    return variables


def _sequence(case: Case, pattern: ast.MatchSequence, subject: Value) -> Outcome:
    """`[a, b, *_]` on an array, `(a, b)` on a tuple."""
    checker = case.checker
    span = checker.span(pattern)
    patterns: list[Any] = list(pattern.patterns)
    star = next((i for i, p in enumerate(patterns) if isinstance(p, ast.MatchStar)), None)
    if star is not None and patterns[star].name is not None:
        why = f"`*{patterns[star].name}` would be a list of unknown length"
        checker.fail(errors.NoPattern(checker.span(patterns[star]), why, "name the elements, or write `*_`"))

    def elements(items: list[Value], outcome: Outcome) -> Outcome:
        wanted = len(patterns) if star is None else len(patterns) - 1
        if wanted > len(items) or (star is None and wanted != len(items)):
            least = "at least " if star is not None else ""
            _never(case, pattern, subject, f"the pattern has {least}{wanted} elements, and there are {len(items)}")
        if star is None:
            pairs = list(zip(patterns, items))
        else:
            behind = len(patterns) - star - 1
            pairs = [*zip(patterns[:star], items), *zip(patterns[star + 1 :], items[len(items) - behind :])]
        return _parts(case, outcome, pairs, span)

    if isinstance(subject, TupleValue):
        return elements(list(subject.items), case.always(pattern))

    def use(held: Value) -> Outcome:
        if isinstance(held, Known) and isinstance(held.value, tuple):
            return elements([Known(item, held.span) for item in held.value], case.always(pattern))
        kind = kinds.aggregate(type_of(held))
        if not isinstance(kind, ArrayType) or not isinstance(held, tree.Expr) or not isinstance(held.type, PtrType):
            _never(case, pattern, subject, "only tuples and arrays are sequences")
        inner, array = access.reference(kind.element, held.type.space), held
        at = [tree.Const(U64, held.span, i) for i in range(kind.length)]
        return elements([tree.Index(inner, array.span, array, i) for i in at], case.always(pattern))

    return _present(case, subject, use)


def _class(case: Case, pattern: ast.MatchClass, subject: Value) -> Outcome:
    """`Event(kind=1, pid=p)` on a struct of that class; `int(n)`, `bool()`, `str()`, `bytes()` by the type."""
    checker = case.checker
    span = checker.span(pattern)
    cls = checker.expr(pattern.cls)
    schema = checker.schema(cls)
    if not isinstance(cls, Known) or not (isinstance(schema, StructType) or cls.value in _BUILTIN):
        text = checker.text(checker.span(pattern.cls))
        checker.fail(errors.NoPattern(span, f"`{text}` is no Struct", "compare in a guard: case x if x == ..."))
    if isinstance(subject, TupleValue):
        _never(case, pattern, subject, "a struct is no tuple")

    def use(held: Value) -> Outcome:
        if not isinstance(schema, StructType):
            if isinstance(held, Known):
                fits = isinstance(held.value, cls.value)
            else:
                fits = _BUILTIN[cls.value](type_of(held))
            if not fits or pattern.kwd_attrs or len(pattern.patterns) > 1:
                _never(case, pattern, subject, f"it is no {cls.value.__name__}")
            return _parts(case, case.always(pattern), [(p, held) for p in pattern.patterns], span)
        if not isinstance(held, tree.Expr) or not kinds.same(kinds.aggregate(held.type) or NONE, schema):
            _never(case, pattern, subject, f"it is no {schema.name}")
        if pattern.patterns:
            named = ", ".join([f"{f.name}=..." for f in schema.fields[: len(pattern.patterns)]])
            way = f"name them: case {schema.name}({named})"
            checker.fail(errors.NoPattern(span, "fields of a struct have no positions", way))
        pairs: list[tuple[Any, Value]] = []
        for name, inner in zip(pattern.kwd_attrs, pattern.kwd_patterns):
            value = access.field(checker, held, name, checker.span(inner))
            if value is None:
                names = [f.name for f in schema.fields]
                near = closest(name, names)
                checker.fail(errors.NoField(checker.span(inner), name, str(schema), tuple(names), near))
            pairs.append((inner, value))
        return _parts(case, case.always(pattern), pairs, span)

    return _present(case, subject, use)


_BUILTIN: dict[Any, Callable[[Any], bool]] = {
    int: kinds.is_int,
    bool: lambda kind: isinstance(kind, BoolType),
    str: lambda kind: isinstance(kinds.aggregate(kind), TextType),
    bytes: lambda kind: isinstance(kinds.aggregate(kind), BytesType),
}


def _parts(case: Case, outcome: Outcome, pairs: list[tuple[Any, Value]], span: Span) -> Outcome:
    """Patterns for the parts of a subject; each part is read once, when its turn comes."""
    checker = case.checker
    test, true, false = outcome
    lets: list[tuple[int, tree.Var, tree.Expr]] = []
    tests: list[tree.Expr] = [test]
    for pattern, value in pairs:
        if true is None:
            break
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name is None:
            continue
        checker.state = dict(true)
        if isinstance(value, tree.Expr) and not isinstance(value, tree.Const) and not is_simple(value):
            var = checker.temporary(value.type, value)
            lets.append((len(tests), var, value))
            value = checker.local(var, value.span)
        more, true, other = case.test(pattern, value)
        tests.append(more)
        false = flow.join(false, other)
    whole: tree.Expr = tree.Const(BOOL, span, 1)
    held = {at: (var, value) for at, var, value in lets}
    for at in range(len(tests) - 1, -1, -1):
        whole = both(tests[at], whole, span)
        if at in held:
            var, value = held[at]
            whole = tree.Let(BOOL, span, var, value, whole)
    range_of(checker, whole)
    return whole, true, false


def _mapping(case: Case, pattern: ast.MatchMapping, subject: Value) -> Outcome:
    span = case.checker.span(pattern)
    case.checker.fail(errors.NoPattern(span, "programs have no dicts", "name a struct's fields: case Event(kind=1)"))


_PATTERNS: dict[type, Callable[[Case, Any, Any], Outcome]] = {
    ast.MatchValue: _value,
    ast.MatchSingleton: _singleton,
    ast.MatchAs: _as,
    ast.MatchOr: _or,
    ast.MatchSequence: _sequence,
    ast.MatchClass: _class,
    ast.MatchMapping: _mapping,
}
