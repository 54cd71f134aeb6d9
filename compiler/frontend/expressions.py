"""What each kind of expression node means. In: a syntax node. Out: a typed node, or a compile-time value.

`EXPRESSIONS` maps node classes to functions (checker, node, wanted type) -> value; a class that is not in it is not
part of the language, and `unsupported` says which way out there is.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import access, calls, flow, kinds, operators, tree
from pybpf.compiler.frontend.convert import convert, materialize, type_of
from pybpf.compiler.frontend.known import Known, TupleValue
from pybpf.compiler.frontend.measure import is_simple, range_of
from pybpf.compiler.frontend.scope import closest, public_in
from pybpf.compiler.later import later
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import BOOL, ArrayType, BoolType, OptionalType, TextType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.frontend.conditions import condition, condition_value, truth
    from pybpf.compiler.frontend.construct import array_of
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast
    condition = later("frontend.conditions", "condition")
    condition_value = later("frontend.conditions", "condition_value")
    truth = later("frontend.conditions", "truth")
    array_of = later("frontend.construct", "array_of")

__all__ = ["EXPRESSIONS", "unify", "unsupported"]


def _constant(checker: Checker, node: ast.Constant, want: Type | None) -> Value:
    return Known(node.value, checker.span(node))


def _name(checker: Checker, node: ast.Name, want: Type | None) -> Value:
    span = checker.span(node)
    if node.id in checker.slots:
        return checker.read(node.id, span)
    found = checker.names.find(node.id)
    if found is None:
        near = closest(node.id, [*checker.slots, *checker.names.candidates()])
        checker.fail(errors.Unknown(span, node.id, near, public_in(node.id)))
    return access.outer(checker, found.value, span)


def _array(checker: Checker, node: ast.List | ast.Tuple, kind: ArrayType) -> Value:
    """A list or tuple written out where an array is wanted."""
    return array_of(checker, kind, [checker.expr(element, kind.element) for element in node.elts], checker.span(node))


def _list(checker: Checker, node: ast.List, want: Type | None) -> Value:
    kind = kinds.wanted_array(want)
    if kind is not None:
        return _array(checker, node, kind)
    checker.fail(errors.NoContainer(checker.span(node), "list", len(node.elts)))


def _tuple(checker: Checker, node: ast.Tuple, want: Type | None) -> Value:
    """A tuple: a constant, or taken apart where it is used (tuples.py)."""
    kind = kinds.wanted_array(want)
    if kind is not None:
        return _array(checker, node, kind)
    from pybpf.compiler.frontend.tuples import display

    return display(checker, node)


def _lambda(checker: Checker, node: ast.Lambda, want: Type | None) -> Value:
    from pybpf.compiler.frontend.closures import lambda_value

    return lambda_value(checker, node)


def field_kind(value: Value) -> str:
    """How the type of a value is written as a Struct's field."""
    kind = kinds.settle(type_of(value))
    return kinds.spell(kind if kinds.is_int(kind) or not isinstance(kind, OptionalType) else kind.inner)


def _choice(checker: Checker, node: ast.IfExp, want: Type | None) -> Value:
    """`then if test else other`; a constant test leaves one side."""
    span = checker.span(node)
    test, true, false = condition(checker, node.test)
    if true is None or false is None:
        checker.state = true if false is None else false
        chosen = checker.expr(node.body if false is None else node.orelse, want)
        if isinstance(test, tree.Const):
            return chosen
        value = materialize(checker, chosen, want)  # the test is evaluated all the same
        decided = tree.Let(value.type, span, checker.temporary(test.type, test), test, value)
        range_of(checker, decided)
        return decided
    checker.state = dict(true)
    then, after_then = checker.expr(node.body, want), checker.state
    checker.state = dict(false)
    other, after_other = checker.expr(node.orelse, want), checker.state
    if any(isinstance(v, TupleValue) or type(getattr(v, "value", None)) is tuple for v in (then, other)):
        from pybpf.compiler.frontend import tuples

        return tuples.choose(checker, test, (then, after_then), (other, after_other), span)
    kind = unify(checker, then, other, want)
    checker.state = after_then
    first = convert(checker, then, kind, "this value")
    checker.state = after_other
    second = convert(checker, other, kind, "this value")
    checker.state = flow.join(after_then, after_other)
    made = tree.IfExp(kind, span, test, first, second)
    range_of(checker, made)
    return made


def unify(checker: Checker, a: Value, b: Value, want: Type | None) -> Type:
    """The type of an expression that is one of two values. Literals take the type that is wanted, if it is one."""
    first, second = type_of(a), type_of(b)
    joined = kinds.join(first, second)
    if isinstance(joined, kinds.AnyInt) and want is not None and kinds.is_int(want):
        base = kinds.int_base(want)
        if base is not None and base.min <= joined.lo and joined.hi <= base.max:
            return want
    if joined is None or isinstance(joined, kinds.KnownType):
        want = want or _roomy(a, b)
        first = _as_object(checker, a, want, first)
        second = _as_object(checker, b, want, second)
        joined = kinds.join(first, second)
    if joined is None:
        from pybpf.compiler.frontend.advise import other_space, side_of_choice

        other_space(checker, "the other side", first, second, b.span, a.span)
        one, other = side_of_choice(a, first, second), side_of_choice(b, second, first)
        checker.fail(errors.ChoiceDisagrees(b.span, one, other, a.span))
    return kinds.settle(kinds.merged(joined))


def _roomy(a: Value, b: Value) -> Type | None:
    """A text that either of two literals fits."""
    if not all(isinstance(v, Known) and isinstance(v.value, str) for v in (a, b)):
        return None
    return TextType(1 + max([len(v.value.encode()) for v in (a, b) if isinstance(v, Known)]))


def _as_object(checker: Checker, value: Value, want: Type | None, kind: Type) -> Type:
    """The type of a value that is about to exist at run time: a str becomes a text."""
    return materialize(checker, value, want).type if isinstance(kind, kinds.KnownType) else kind


def _and_or(checker: Checker, node: ast.BoolOp, want: Type | None) -> Value:
    """`and`/`or` as values: the operand that decided."""
    if all(_is_boolean(operand) for operand in node.values):
        return condition_value(checker, node, want)
    return _decide(checker, node, node.values, want)


def _is_boolean(node: Any) -> bool:
    """Whether an expression is a bool by its form."""
    if isinstance(node, ast.BoolOp):
        return all(_is_boolean(operand) for operand in node.values)
    return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))


def _decide(checker: Checker, node: ast.BoolOp, operands: list[Any], want: Type | None) -> Value:
    if len(operands) == 1:
        return checker.expr(operands[0], want)
    span = checker.span(node)
    is_and = isinstance(node.op, ast.And)
    held = None
    if _is_boolean(operands[0]):
        test, true, false = condition(checker, operands[0])
        lhs: Value = test
    else:
        lhs = checker.expr(operands[0], want)
        if isinstance(lhs, tree.Expr) and not is_simple(lhs):
            held = (checker.temporary(lhs.type, lhs), lhs)
            lhs = checker.local(held[0], lhs.span)
        test, true, false = truth(checker, lhs, span)
    go_on, done = (true, false) if is_and else (false, true)
    if go_on is None:  # a constant decides; the rest is never evaluated
        return lhs
    if done is None:
        checker.state = go_on
        return _decide(checker, node, operands[1:], want)
    checker.state = dict(go_on)
    rhs = _decide(checker, node, operands[1:], want)
    after = checker.state
    if isinstance(type_of(lhs), BoolType) and isinstance(type_of(rhs), BoolType):
        made: tree.Expr = (tree.And if is_and else tree.Or)(BOOL, span, test, materialize(checker, rhs))
        checker.state = flow.join(done, after)
    else:
        checker.state = done
        if lhs is test:  # a comparison: where it decides, its value is known
            lhs = Known(not is_and, test.span)
        if isinstance(lhs, tree.Expr) and is_and and kinds.may_be_null(lhs.type):  # of a pointer: it is None
            lhs = Known(None, lhs.span)
        if isinstance(lhs, tree.Expr) and isinstance(lhs.type, OptionalType) and not is_and:
            unwrapped = tree.Unwrap(lhs.type.inner, lhs.span, lhs)  # `x or y`: x is present where it is the answer
            checker.ranges[unwrapped] = range_of(checker, lhs)
            lhs = unwrapped
        kind = unify(checker, lhs, rhs, want)
        decided = convert(checker, lhs, kind, "this value")
        checker.state = after
        rest = convert(checker, rhs, kind, "this value")
        checker.state = flow.join(done, after)
        made = tree.IfExp(kind, span, test, rest, decided) if is_and else tree.IfExp(kind, span, test, decided, rest)
        range_of(checker, made)
    if held is not None:
        made = tree.Let(made.type, span, held[0], held[1], made)
        range_of(checker, made)
    return made


def _walrus(checker: Checker, node: ast.NamedExpr, want: Type | None) -> Value:
    """`(name := value)`: a Let of the user's own variable, which goes on to hold the value."""
    span, name = checker.span(node), node.target.id
    slot = checker.slots.get(name)
    if slot is None:
        target, text = checker.text(checker.span(node.target)), checker.text(checker.span(node.value))
        checker.fail(errors.NoWalrus(span, target, text))
    value = checker.expr(node.value, slot.declared or slot.preset)
    made = checker.assign(name, value, span)
    held = checker.read(name, span)
    if isinstance(held, TupleValue):
        return replace(held, lets=tuple([(s.var, s.value) for s in made if isinstance(s, tree.Assign)]))
    if not made or not isinstance(held, tree.Expr):
        return held
    assigned = made[0]
    assert isinstance(assigned, tree.Assign)
    let = tree.Let(held.type, span, assigned.var, assigned.value, held)
    range_of(checker, let)
    return let


def unsupported(checker: Checker, node: Any, want: Type | None) -> Value:
    """Whatever else Python has."""
    from pybpf.compiler.frontend.refusals import EXPRESSION_REFUSALS

    span = checker.span(node)
    refusal = EXPRESSION_REFUSALS.get(type(node))
    if refusal is not None:
        checker.fail(refusal(checker, node, span))
    checker.fail(errors.NotInLanguage(span, f"this syntax ({type(node).__name__})"))


EXPRESSIONS: dict[type, Callable[[Checker, Any, Type | None], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: access.attribute,
    ast.Subscript: access.subscript,
    ast.BinOp: operators.binary,
    ast.UnaryOp: operators.unary,
    ast.Compare: condition_value,
    ast.BoolOp: _and_or,
    ast.IfExp: _choice,
    ast.Call: calls.call,
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Lambda: _lambda,
    ast.NamedExpr: _walrus,
}
