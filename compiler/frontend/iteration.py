"""What a `for` goes through besides range() and maps: tuples, arrays, enumerate(), zip(), reversed(). In: the
expression after `in`. Out: Items.

The loop counts, and each item is worked out from the count: an element of an array, or one of a tuple's items, chosen
by a chain of comparisons. Items that no machine could choose from, such as maps or functions, get a copy of the body
each (`unrolled`).
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, flow, kinds, tree, tuples
from pybpf.compiler.frontend.convert import convert, materialize, maybe_none, number, type_of
from pybpf.compiler.frontend.flow import Fact
from pybpf.compiler.frontend.known import ContextRef, Known, TupleValue, describe
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.frontend.operators import arithmetic, to_type
from pybpf.compiler.frontend.scope import assigned_names
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.record import Record, factory, replace
from pybpf.compiler.schema.types import BOOL, I64, U8, U64, ArrayType, BytesType, OptionalType, PtrType, Space, TextType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Sequence
    from typing import Any

    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast

__all__ = ["Items", "chosen", "iterated", "unrolled"]

_MISSING = object()
_MOST = 64  # choices in a chain, and copies of a body


class Items(Record, eq=False):
    """`count` items. `element` gives the one at an index (a u64 below the count), after the statements `first`.

    `values` are the items themselves, where they can be told one by one.
    """

    count: int
    element: Callable[[tree.Expr], Value]
    first: list[tree.Stmt] = factory(list)
    values: list[Value] | None = None


def iterated(checker: Checker, node: Any) -> Items:
    """The items of an expression; refuses what is none of the above."""
    from pybpf.compiler.frontend.loops import is_builtin

    if isinstance(node, ast.Call):
        for builtin, rule in _BUILTINS:
            if is_builtin(checker, node.func, builtin):
                return rule(checker, node, checker.span(node))
    return _items(checker, checker.expr(node))


def _items(checker: Checker, value: Value) -> Items:
    span = value.span
    if isinstance(value, Known):
        known: Any = value.value
        if isinstance(known, range):
            return _counting(checker, known, span)
        if isinstance(known, type) and issubclass(known, int) and hasattr(known, "__members__"):
            known = tuple(known.__members__.values())  # an IntEnum
        if isinstance(known, bytes):
            known = tuple(known)
        if isinstance(known, (tuple, list)):
            return _of(checker, [access.outer(checker, item, span) for item in known], [], span)
        checker.fail(errors.NotIterable(span, checker.text(span), describe(known), False, False))
    if isinstance(value, TupleValue):
        first: list[tree.Stmt] = []
        items = tuples.kept(checker, value, first)
        assert isinstance(items, TupleValue)
        return _of(checker, list(items.items), first, span)
    if isinstance(value, ContextRef):
        checker.fail(errors.NotIterable(span, checker.text(span), "the context", False, False))
    kind = kinds.aggregate(value.type)
    if isinstance(kind, (ArrayType, BytesType)):
        inner: Type = kind.element if isinstance(kind, ArrayType) else U8
        held = checker.temporary(value.type, value)  # Python goes on with this array if the variable is assigned
        array = checker.local(held, span)
        assert isinstance(array.type, PtrType)
        own = isinstance(value, tree.Field) or array.type.space != Space.TRUSTED  # no array of a kernel type
        if own and access.is_fixed(checker, array.type.space) and isinstance(kind, ArrayType):
            at = [tree.Const(U64, span, i) for i in range(kind.length)]
            item = access.reference(inner, array.type.space)
            return _of(checker, [tree.Index(item, span, array, i) for i in at], [tree.Assign(span, held, value)], span)

        def element(at: tree.Expr) -> Value:
            assert isinstance(array.type, PtrType)
            if isinstance(inner, KernelType):
                from pybpf.compiler.frontend.kernel import kernel_element

                return kernel_element(checker, array, inner, at, array.span)
            return tree.Index(access.reference(inner, array.type.space), array.span, array, at)

        return Items(
            kind.length if isinstance(kind, ArrayType) else kind.size, element, [tree.Assign(span, held, value)]
        )
    if isinstance(value.type, OptionalType):
        maybe_none(checker, value)
    is_number = kinds.is_int(value.type)
    what = f"a number ({kinds.spell(value.type)})" if is_number else kinds.spell(value.type)
    checker.fail(errors.NotIterable(span, checker.text(span), what, isinstance(kind, TextType), is_number))


def _of(checker: Checker, values: list[Value], first: list[tree.Stmt], span: Span) -> Items:
    """The items of a tuple."""
    if len(values) > _MOST:
        checker.fail(errors.TooManyItems(span, checker.text(span), len(values), _MOST))

    def element(at: tree.Expr) -> Value:
        found = chosen(checker, values, at, span)
        assert found is not None
        return found

    return Items(len(values), element, first, values)


def _counting(checker: Checker, counted: range, span: Span) -> Items:
    def element(at: tree.Expr) -> Value:
        return _plus(checker, Known(counted.start, span), at, counted.step, span)

    return Items(len(counted), element)


def _plus(checker: Checker, start: Value, at: tree.Expr, step: int, span: Span) -> Value:
    """start + at * step."""
    steps: Value = to_type(checker, at, I64, span)
    if step != 1:
        steps = arithmetic(checker, "*", steps, Known(step, span), span)
    return arithmetic(checker, "+", start, steps, span)


# --- enumerate(), zip(), reversed()


def _enumerate(checker: Checker, node: ast.Call, span: Span) -> Items:
    keywords = {k.arg: k.value for k in node.keywords}
    if not 1 <= len(node.args) <= 2 or set(keywords) - {"start"} or (keywords and len(node.args) == 2):
        takes = "takes a tuple or an array, and a number to start at"
        checker.fail(errors.CallArguments(span, "enumerate()", takes, "enumerate(items)"))
    inner = iterated(checker, node.args[0])
    given = node.args[1] if len(node.args) == 2 else keywords.get("start")
    start: Value = Known(0, span) if given is None else checker.expr(given)
    start = tuples.kept(checker, start, inner.first)
    plain = number(checker, start)
    values = None
    if inner.values is not None and isinstance(plain, int):
        values = [tuples.made((Known(plain + i, span), item), span) for i, item in enumerate(inner.values)]

    def element(at: tree.Expr) -> Value:
        return tuples.made((_plus(checker, start, at, 1, span), inner.element(at)), span)

    return Items(inner.count, element, inner.first, values)


def _zip(checker: Checker, node: ast.Call, span: Span) -> Items:
    if node.keywords or not node.args:
        checker.fail(errors.CallArguments(span, "zip()", "takes tuples and arrays by position", "zip(a, b)"))
    parts = [iterated(checker, argument) for argument in node.args]
    count = min([part.count for part in parts])
    columns = [part.values for part in parts if part.values is not None]
    values = None
    if len(columns) == len(parts):
        values = [tuples.made([column[i] for column in columns], span) for i in range(count)]

    def element(at: tree.Expr) -> Value:
        return tuples.made([part.element(at) for part in parts], span)

    return Items(count, element, [statement for part in parts for statement in part.first], values)


def _reversed(checker: Checker, node: ast.Call, span: Span) -> Items:
    if node.keywords or len(node.args) != 1:
        checker.fail(errors.CallArguments(span, "reversed()", "takes a tuple or an array", "reversed(items)"))
    inner = iterated(checker, node.args[0])

    def element(at: tree.Expr) -> Value:
        last = tree.Const(U64, span, inner.count - 1)
        back = tree.Binary(U64, span, "-", last, at)
        checker.ranges[back] = (0, inner.count - 1)
        return inner.element(back)

    return Items(inner.count, element, inner.first, None if inner.values is None else inner.values[::-1])


_BUILTINS: tuple[tuple[Any, Callable[[Checker, ast.Call, Span], Items]], ...] = (
    (enumerate, _enumerate), (zip, _zip), (reversed, _reversed),
)  # fmt: skip


# --- one of several


def may_choose(checker: Checker, values: Sequence[Value]) -> bool:
    """Whether the program can choose one of the values when it runs."""
    if all(tuples.is_tuple(value) for value in values):
        columns = [tuples.items_of(checker, value) or [] for value in values]
        return len({len(column) for column in columns}) == 1 and all(
            may_choose(checker, column) for column in zip(*columns)
        )
    if _same(values) or all(isinstance(v, Known) and isinstance(v.value, (str, bytes)) for v in values):
        return True
    joined = _joined(values)
    return joined is not None and not isinstance(joined, kinds.KnownType)


def _same(values: Sequence[Value]) -> bool:
    """Whether all are one constant."""
    first = values[0] if values else None
    if not isinstance(first, Known):
        return False
    one = first.value
    others = [v.value if isinstance(v, Known) else _MISSING for v in values]
    return all(other is one or (type(other) is type(one) is int and other == one) for other in others)


def _joined(values: Sequence[Value]) -> Any:
    joined = None
    for value in values:
        joined = kinds.join(joined, type_of(value))
        if joined is None:
            return None
    return joined


def chosen(checker: Checker, values: Sequence[Value], at: tree.Expr, span: Span) -> Value | None:
    """Value number `at`, as a chain of choices."""
    if _same(values):
        return values[0]
    if all(tuples.is_tuple(value) for value in values):
        columns = [tuples.items_of(checker, value) or [] for value in values]
        return tuples.made([chosen(checker, column, at, span) for column in zip(*columns)], span)  # type: ignore[misc]
    texts = [v.value for v in values if isinstance(v, Known) and isinstance(v.value, str)]
    if len(texts) == len(values):
        text = TextType(1 + max([len(value.encode()) for value in texts]))
        options = [materialize(checker, value, text) for value in values]
    else:
        kind = kinds.settle(_joined(values))
        options = [convert(checker, value, kind, "this item") for value in values]
    made = options[-1]
    for i in range(len(options) - 2, -1, -1):
        test = tree.Compare(BOOL, span, "==", at, tree.Const(U64, span, i))
        made = tree.IfExp(made.type, span, test, options[i], made)
        range_of(checker, made)
    return made


# --- a copy of the body for each item


def unrolled(checker: Checker, node: ast.For, values: list[Value]) -> list[tree.Stmt]:
    """The loop, where the items are of kinds that only the compiler can tell apart.

    A body that may be left early is a loop of one iteration; `left` then says that the others are not to run.
    """
    from pybpf.compiler.frontend.loops import after
    from pybpf.compiler.frontend.settle import Loop

    span = checker.span(node)
    left = checker.temporary(BOOL, tree.Const(BOOL, span, 0))
    whole = Loop()
    statements: list[tree.Stmt] = [tree.Assign(span, left, tree.Const(BOOL, span, 0))]
    inside = statements
    for value in values:
        if checker.state is None:
            break
        mark = len(checker.diagnostics)
        loop = Loop()
        loop.flag = left
        checker.loops.append(loop)
        try:
            body = _once(checker, node, value)
        finally:
            checker.loops.pop()
        checker.state = flow.join(checker.state, loop.continues)
        whole.breaks = flow.join(whole.breaks, loop.breaks)
        if loop.breaks is None and loop.continues is None:
            inside += body
        else:
            start, stop = tree.Const(I64, span, 0), tree.Const(I64, span, 1)
            made = tree.ForRange(span, checker.temporary(I64, start), start, stop, 1, body)
            checker.session.iterations[made] = 1
            inside.append(made)
        if any(d.severity == "error" for d in checker.diagnostics[mark:]):
            break
        if loop.breaks is not None:
            test = tree.Not(BOOL, span, tree.Local(BOOL, span, left))
            guarded = tree.If(span, test, [])
            inside.append(guarded)
            inside = guarded.body
    exhausted: State | None = checker.state
    inside += after(checker, node, exhausted, whole)
    if whole.breaks is not None:
        _forget(checker, node, span)
    return statements


def _once(checker: Checker, node: ast.For, value: Value) -> list[tree.Stmt]:
    """The body for one item."""
    from pybpf.compiler.frontend.assignment import assign_to

    for name in assigned_names(node.target):
        slot = checker.slots.get(name)
        if slot is not None and isinstance(slot.joined, kinds.KnownType):
            slot.joined = slot.alias = None
    return assign_to(checker, node.target, value, checker.span(node.target)) + checker.block(node.body)


def _forget(checker: Checker, node: ast.For, span: Span) -> None:
    """After a `break` nobody knows which item a variable stands for, where only the compiler can tell them apart."""
    for name in assigned_names(node.target):
        slot = checker.slots.get(name)
        if checker.state is not None and slot is not None and isinstance(slot.joined, kinds.KnownType):
            fact = checker.state.get(name, Fact())
            why = "the loop may have been left at any of its items"
            checker.state[name] = replace(fact, stale=(why, checker.span(node.target)))
