"""Python's builtins about numbers: `min`, `max`, `abs`, `pow`, `divmod`, `round`, `int`. In: a call. Out: its value."""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import materialize, number, widened
from pybpf.compiler.frontend.known import Known, TupleValue
from pybpf.compiler.frontend.measure import is_simple, range_of
from pybpf.compiler.frontend.operators import arithmetic, check_sign, common_type, to_type
from pybpf.compiler.schema.types import BOOL, I64, U64

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import Type

__all__ = ["absolute", "arguments", "division", "integer", "largest", "power", "rounded", "smallest", "whole"]


def arguments(checker: Checker, node: ast.Call, span: Span, name: str, count: int) -> list[Value]:
    """The values of a call that takes so many arguments, by position."""
    if node.keywords or len(node.args) != count:
        plural = "" if count == 1 else "s"
        checker.fail(
            errors.CallArguments(span, f"{name}()", f"takes {count} argument{plural} by position", f"{name}(x)")
        )
    return [checker.expr(argument) for argument in node.args]


def _smallest_or_largest(checker: Checker, node: ast.Call, span: Span, op: str) -> Value:
    """`min(a, b, ...)`, `max(...)`: comparisons of each argument evaluated once."""
    name = "min" if op == "<" else "max"
    if node.keywords or not node.args:
        checker.fail(errors.CallArguments(span, f"{name}()", "takes two or more numbers by position", f"{name}(a, b)"))
    if len(node.args) == 1:
        from pybpf.compiler.frontend import folds

        values, before = folds.values(checker, node.args[0], name)
        if not values:
            checker.fail(errors.CallArguments(span, f"{name}()", "takes at least one number", f"{name}(a, b)"))
    else:
        values, before = [checker.expr(argument) for argument in node.args], []
    if all(isinstance(v, Known) and isinstance(v.value, int) for v in values):
        plain = [v.value for v in values if isinstance(v, Known)]
        return Known(min(plain) if op == "<" else max(plain), span)
    from pybpf.compiler.frontend.conditions import rebinding

    rebinds = rebinding(node.args)
    lets: list[tuple[tree.Var, tree.Expr]] = list(before)
    held: list[tuple[Value, Span]] = []
    for value in values:
        item = number(checker, value)
        if isinstance(item, int):
            held.append((value, value.span))
            continue
        if not isinstance(item, tree.Local) or rebinds:  # a conversion too: what is compared must be what is the answer
            var = checker.temporary(item.type, item)
            lets.append((var, item))
            item = checker.local(var, item.span)
        held.append((item, value.span))
    result, where = held[0]
    for other, spot in held[1:]:
        if isinstance(result, tree.IfExp):  # it is used twice: compared, and chosen
            var = checker.temporary(result.type, result)
            lets.append((var, result))
            result = checker.local(var, span)
        result = _pick(checker, result, where, other, spot, op, span)
    made = materialize(checker, result)
    bounds = range_of(checker, made)
    for var, value in reversed(lets):
        made = tree.Let(made.type, span, var, value, made)
        checker.ranges[made] = bounds
    return made


def _pick(checker: Checker, a: Value, at: Span, b: Value, bt: Span, op: str, span: Span) -> tree.Expr:
    x, y = number(checker, a), number(checker, b)
    name = "min" if op == "<" else "max"
    kind = common_type(checker, x, y, name)
    check_sign(checker, kind, x, at, y, name)
    check_sign(checker, kind, y, bt, x, name)
    left, right = to_type(checker, x, kind, at), to_type(checker, y, kind, bt)
    (a_lo, a_hi), (b_lo, b_hi) = range_of(checker, left), range_of(checker, right)
    made = tree.IfExp(kind, span, tree.Compare(BOOL, span, "<=" if op == "<" else ">=", left, right), left, right)
    best = min if op == "<" else max
    checker.ranges[made] = (best(a_lo, b_lo), best(a_hi, b_hi))
    return made


def smallest(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    return _smallest_or_largest(checker, node, span, "<")


def largest(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    return _smallest_or_largest(checker, node, span, ">")


def absolute(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    value = number(checker, arguments(checker, node, span, "abs", 1)[0])
    if isinstance(value, int):
        return Known(abs(value), span)
    lo, hi = range_of(checker, value)
    if lo >= 0:
        return value
    wide = widened(checker, value, I64)
    let = None
    if not is_simple(wide):
        let = (checker.temporary(I64, wide), wide)
        wide = checker.local(let[0], span)
    negative = tree.Compare(BOOL, span, "<", wide, tree.Const(I64, span, 0))
    made: tree.Expr = tree.IfExp(I64, span, negative, tree.Unary(I64, span, "-", wide), wide)
    bounds = (0, max(-lo, hi)) if lo > I64.min else (I64.min, I64.max)  # abs of the lowest wraps to itself
    checker.ranges[made] = bounds
    if let is not None:
        made = tree.Let(I64, span, let[0], let[1], made)
        checker.ranges[made] = bounds
    return made


def power(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`pow(x, 2)` is `x ** 2`."""
    base, exponent = arguments(checker, node, span, "pow", 2)
    return arithmetic(checker, "**", base, exponent, span)


def division(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`divmod(a, b)`: a tuple of `a // b` and `a % b`."""
    values = arguments(checker, node, span, "divmod", 2)
    lets: list[tuple[tree.Var, tree.Expr]] = []
    for i, value in enumerate(values):
        if isinstance(value, tree.Expr) and not isinstance(value, tree.Const):
            var = checker.temporary(value.type, value)
            lets.append((var, value))
            values[i] = checker.local(var, value.span)
    quotient = arithmetic(checker, "//", values[0], values[1], span)
    rest = arithmetic(checker, "%", values[0], values[1], span)
    return TupleValue((quotient, rest), span, tuple(lets))


def rounded(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`round(2.5)` of a constant; an integer is round."""
    value = arguments(checker, node, span, "round", 1)[0]
    if isinstance(value, Known) and isinstance(value.value, float):
        return whole(checker, round, value, span)
    made = number(checker, value)
    return Known(made, span) if isinstance(made, int) else made


def whole(checker: Checker, convert: Any, value: Known, span: Span) -> Known:
    """An integer made of a constant, at compile time."""
    try:
        return Known(convert(value.value), span)
    except (ValueError, OverflowError, TypeError) as error:
        problem = f"raises {type(error).__name__}: {error}"
        checker.fail(errors.ConstantLookup(span, f"`{checker.text(span)}`", problem))


def integer(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    value = arguments(checker, node, span, "int", 1)[0]
    if isinstance(value, Known) and isinstance(value.value, (str, float)):
        return whole(checker, int, value, span)
    if isinstance(value, tree.Expr) and kinds.may_be_null(value.type):  # a pointer's address
        return tree.Cast(U64, span, value)
    made = number(checker, value)
    return Known(made, span) if isinstance(made, int) else made
