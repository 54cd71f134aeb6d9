"""Conditions: comparisons, `and`, `or`, `not`, truth. In: an expression. Out: a BOOL node, and what holds if it is
true or false.

`condition()` leaves the checker's state alone and returns two: the one in which the expression was true, and the one
in which it was false; `None` for the one that can't be, which happens only where a compile-time constant decides.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import flow, kinds, ranges, tree
from pybpf.compiler.frontend.convert import convert, materialize, number, type_of
from pybpf.compiler.frontend.innermaps import check_truth
from pybpf.compiler.frontend.known import ContextRef, Known, TupleValue
from pybpf.compiler.frontend.measure import is_simple, range_of, underlying
from pybpf.compiler.frontend.operators import check_sign, common_type, to_type
from pybpf.compiler.frontend.scope import assigned_names, mentioned_names
from pybpf.compiler.later import module
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.span import Span
from pybpf.compiler.schema.types import (
    BOOL,
    U8,
    U64,
    BoolType,
    BytesType,
    NoneType,
    OptionalType,
    PtrType,
    Space,
    TextType,
    is_arena_pointer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend import fieldfacts
    from pybpf.compiler.frontend.flow import State
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast
    fieldfacts = module("frontend.fieldfacts")

__all__ = [
    "comparison", "condition", "condition_value", "constant_outcome", "hold", "identity", "negation", "ordered",
    "rebinding", "truth",
]  # fmt: skip

_SYMBOLS: dict[type, str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_EVALUATE = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def condition(checker: Checker, node: Any) -> tuple[tree.Expr, State | None, State | None]:
    """Any expression as a condition."""
    if isinstance(node, ast.BoolOp):
        return _and_or(checker, node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        expr, true, false = condition(checker, node.operand)
        return negation(expr, checker.span(node)), false, true
    if isinstance(node, ast.Compare):
        return comparison(checker, node)
    value = checker.expr(node)
    return truth(checker, value, checker.span(node))


def negation(expr: tree.Expr, span: Span) -> tree.Expr:
    if isinstance(expr, tree.Const):
        return tree.Const(BOOL, span, 1 - expr.value)
    return tree.Not(BOOL, span, expr)


def condition_value(checker: Checker, node: Any, want: Type | None) -> Value:
    """A condition used as a value: a BOOL, or a constant."""
    expr, true, false = condition(checker, node)
    checker.state = flow.join(true, false)
    if isinstance(expr, tree.Const):
        return Known(bool(expr.value), expr.span)
    return expr


def constant_outcome(checker: Checker, value: bool, span: Span) -> tuple[tree.Expr, State | None, State | None]:
    state = checker.state
    return tree.Const(BOOL, span, int(value)), state if value else None, None if value else state


def _and_or(checker: Checker, node: ast.BoolOp) -> tuple[tree.Expr, State | None, State | None]:
    is_and = isinstance(node.op, ast.And)
    expr, true, false = condition(checker, node.values[0])
    span = checker.span(node)
    entry = checker.state
    for operand in node.values[1:]:
        go_on, done = (true, false) if is_and else (false, true)
        if go_on is None:  # decided by a constant: the rest is never evaluated
            break
        checker.state = dict(go_on)
        rhs, rhs_true, rhs_false = condition(checker, operand)
        if isinstance(expr, tree.Const):
            expr = rhs
        elif isinstance(rhs, tree.Const) and bool(rhs.value) == is_and:
            pass
        else:
            expr = (tree.And if is_and else tree.Or)(BOOL, span, expr, rhs)
        if is_and:
            true, false = rhs_true, flow.join(done, rhs_false)
        else:
            true, false = flow.join(done, rhs_true), rhs_false
    checker.state = entry
    return expr, true, false


# --- truth


def truth(checker: Checker, value: Value, span: Span) -> tuple[tree.Expr, State | None, State | None]:
    """bool(value)."""
    if isinstance(value, Known):
        known = value.value
        if known is None or isinstance(known, (int, str, bytes, tuple)):
            return constant_outcome(checker, bool(known), span)
    if isinstance(value, TupleValue) and not value.lets:
        return constant_outcome(checker, bool(value.items), span)
    expr = materialize(checker, value)
    state = checker.state
    assert state is not None
    kind = expr.type
    if isinstance(kind, (OptionalType, PtrType)):
        check_truth(checker, kind, span)
    if isinstance(kind, BoolType):
        if isinstance(expr, tree.Const):
            return constant_outcome(checker, bool(expr.value), span)
        if isinstance(expr, tree.KfuncExists):  # behind it the function may be called, whatever kernels are built for
            return expr, {**state, flow.exists_key(expr.kfunc.name): flow.Fact()}, state
        return expr, *_split(checker, expr, "!=", 0)
    if kinds.is_int(kind):
        return tree.Truth(BOOL, span, expr), *_split(checker, expr, "!=", 0)
    if kinds.may_be_null(kind):
        return tree.Compare(BOOL, span, "!=", expr, tree.NoneValue(kind, span)), _there(checker, expr), state
    if isinstance(kind, OptionalType):
        return _optional_truth(checker, expr, span)
    if isinstance(kind, NoneType):
        checker.fail(errors.NothingReturned(span, checker.text(span)))
    if isinstance(kind, PtrType) and isinstance(kind.pointee, TextType):
        first = tree.Index(U8, span, expr, tree.Const(U64, span, 0))
        return tree.Truth(BOOL, span, first), state, state
    return tree.Truth(BOOL, span, expr), state, state


def _optional_truth(checker: Checker, expr: tree.Expr, span: Span) -> tuple[tree.Expr, State | None, State | None]:
    """Of an Optional number: present and not zero. Of an Optional reference: present."""
    assert isinstance(expr.type, OptionalType) and checker.state is not None
    is_number = kinds.is_int(expr.type.inner)
    var = underlying(checker, expr)
    if var is None or var.name not in checker.state:
        return tree.Truth(BOOL, span, expr), checker.state, checker.state
    fact = checker.state[var.name]
    if checker.releases and not is_number:
        _tested(checker, var, fact, span)
    present = ranges.narrow("!=", fact.range, (0, 0)) or fact.range if is_number else fact.range
    true = {**checker.state, var.name: replace(fact, presence=flow.PRESENT, range=present)}
    false = checker.state
    if not is_number and fact.presence != flow.PRESENT:
        false = flow.absent(checker.state, var.name)
    return tree.Truth(BOOL, span, expr), true, false


def _there(checker: Checker, expr: tree.Expr) -> State | None:
    """The state in which a pointer of the kernel is not NULL."""
    state = checker.state
    assert state is not None and isinstance(expr.type, PtrType)
    var = underlying(checker, expr) if expr.type.space in Space.OBJECTS else None
    fact = state.get(var.name) if var is not None else None
    if var is None or fact is None:
        return state
    return {**state, var.name: replace(fact, presence=flow.PRESENT)}


def _tested(checker: Checker, var: tree.Var, fact: flow.Fact, span: Span) -> None:
    """An Optional reference that may be held is tested for None."""
    from pybpf.compiler.frontend.references import tested

    tested(checker, var, fact, span)


def _split(checker: Checker, expr: tree.Expr, op: str, other: int) -> tuple[State | None, State | None]:
    """The states in which `expr op other` is true, and false."""
    bound = (other, other)
    return _narrowed(checker, expr, op, bound), _narrowed(checker, expr, _NEGATED[op], bound)


def _narrowed(
    checker: Checker, expr: tree.Expr, op: str, bound: ranges.Interval, base: State | None = None
) -> State | None:
    """`base` (the current state) with the variable that `expr` reads narrowed by `expr op bound`."""
    state = base if base is not None else checker.state
    assert state is not None
    var = underlying(checker, expr)
    if var is None and checker.in_test:
        return fieldfacts.narrowed(checker, expr, op, bound, state)
    fact = state.get(var.name) if var is not None else None
    if var is None or fact is None:
        return state
    narrowed = ranges.narrow(op, fact.range, bound)
    if narrowed is None or narrowed == fact.range:  # never true here: still checked, with what is known
        return state
    if var.name in checker.held_fields:
        state = fieldfacts.narrowed(checker, checker.held_fields[var.name], op, bound, state)
    return {**state, var.name: replace(fact, range=narrowed)}


# --- comparisons


def comparison(checker: Checker, node: ast.Compare) -> tuple[tree.Expr, State | None, State | None]:
    """A comparison or a chain of them: `a < b < c` evaluates b once."""
    if len(node.ops) == 1:
        lhs = checker.expr(node.left)
        if isinstance(node.ops[0], (ast.In, ast.NotIn)):
            return _compare(checker, node, node.ops[0], lhs, node.comparators[0], checker.span(node))
        listed = isinstance(node.comparators[0], ast.List) and kinds.wanted_array(type_of(lhs)) is not None
        rhs = checker.expr(node.comparators[0], type_of(lhs) if listed else None)
        found = _compare(checker, node, node.ops[0], lhs, rhs, checker.span(node))
        _warn_of_decided(checker, found[0], lhs, rhs)
        return found
    return _chain(checker, node)


def _chain(checker: Checker, node: ast.Compare) -> tuple[tree.Expr, State | None, State | None]:
    entry = checker.state
    lets: list[tuple[tree.Var, tree.Expr]] = []
    rebinds = rebinding([node.left, *node.comparators])
    lhs = hold(checker, checker.expr(node.left), lets, rebinds)
    whole: tree.Expr | None = None
    true: State | None = entry
    false: State | None = None
    last = len(node.ops) - 1
    spot = checker.span(node)
    pending: list[tuple[tree.Expr, list[tuple[tree.Var, tree.Expr]]]] = []
    for i, (op, right) in enumerate(zip(node.ops, node.comparators)):
        assert true is not None
        checker.state = dict(true)
        if i < last:
            own: list[tuple[tree.Var, tree.Expr]] = []
            rhs: Any = hold(checker, checker.expr(right), own, rebinds)
        else:
            own, rhs = [], right
        start, end = checker.span(node.comparators[i - 1] if i else node.left), checker.span(right)
        pair = Span(spot.source, start.line, start.col, end.end_line, end.end_col)
        expr, step_true, step_false = _compare(checker, node, op, lhs, rhs, pair)
        pending.append((expr, own))
        true, false = step_true, flow.join(false, step_false)
        lhs = rhs if i < last else lhs
        if true is None:
            break
    for expr, own in reversed(pending):
        whole = expr if whole is None else tree.And(BOOL, spot, expr, whole)
        for var, value in reversed(own):
            whole = tree.Let(BOOL, spot, var, value, whole)
    assert whole is not None
    for var, value in reversed(lets):
        whole = tree.Let(BOOL, spot, var, value, whole)
    checker.state = entry
    return whole, true, false


def rebinding(operands: list[Any]) -> bool:
    """Whether a `:=` in one of the operands assigns a variable that another one mentions."""
    for i, operand in enumerate(operands):
        bound = assigned_names(operand)
        if bound and any(name in mentioned_names(o) for o in operands[:i] + operands[i + 1 :] for name in bound):
            return True
    return False


def hold(checker: Checker, value: Value, lets: list[tuple[tree.Var, tree.Expr]], rebinds: bool) -> Value:
    """A value that may be used several times: a variable of ours where it is not simple.

    `rebinds`: a `:=` further on may change a variable after it was read.
    """
    if not isinstance(value, tree.Expr) or isinstance(value, tree.Const) or (is_simple(value) and not rebinds):
        return value
    if isinstance(value, tree.Let) and isinstance(value.body, tree.Local) and not rebinds:
        lets.append((value.var, value.value))
        return value.body
    var = checker.temporary(value.type, value)
    lets.append((var, value))
    if checker.in_test and isinstance(value, tree.Field):
        checker.held_fields[var.name] = value
    return checker.local(var, value.span)


def _compare(
    checker: Checker, node: Any, op_node: Any, lhs: Value, rhs_node: Any, span: Span
) -> tuple[tree.Expr, State | None, State | None]:
    """One comparison; `rhs_node` is a syntax node, or a value already checked."""
    op = _SYMBOLS[type(op_node)]
    checked = isinstance(rhs_node, (tree.Expr, Known, ContextRef, TupleValue))
    if op in ("in", "not in"):
        from pybpf.compiler.frontend.membership import contains

        expr, true, false = contains(checker, lhs, rhs_node, span)
        return (expr, true, false) if op == "in" else (negation(expr, span), false, true)
    rhs: Value = rhs_node if checked else checker.expr(rhs_node)
    if op in ("is", "is not"):
        expr, true, false = identity(checker, lhs, rhs, span, op)
        return (expr, true, false) if op == "is" else (negation(expr, span), false, true)
    return ordered(checker, op, lhs, rhs, span)


def identity(
    checker: Checker, lhs: Value, rhs: Value, span: Span, op: str
) -> tuple[tree.Expr, State | None, State | None]:
    """`x is None`; on compile-time objects `is` is decided at once; on numbers it is a mistake.

    Objects in an arena have an identity: their address.
    """
    if isinstance(lhs, Known) and lhs.value is None:
        lhs, rhs = rhs, lhs
    if not (isinstance(rhs, Known) and rhs.value is None):
        if isinstance(lhs, Known) and isinstance(rhs, Known) and not isinstance(lhs.value, (int, str, bytes, tuple)):
            return constant_outcome(checker, lhs.value is rhs.value, span)
        if kinds.may_be_null(type_of(lhs)) and kinds.may_be_null(type_of(rhs)):
            return _pointers(checker, "==", lhs, rhs, span), checker.state, checker.state
        if is_arena_pointer(type_of(lhs)) and is_arena_pointer(type_of(rhs)):  # the same address
            assert isinstance(lhs, tree.Expr) and isinstance(rhs, tree.Expr)
            return tree.Compare(BOOL, span, "==", lhs, rhs), checker.state, checker.state
        for flag, value in ((rhs, lhs), (lhs, rhs)):  # the two bools are objects of their own
            if isinstance(flag, Known) and isinstance(flag.value, bool) and isinstance(type_of(value), BoolType):
                test, true, false = truth(checker, value, span)
                return (test, true, false) if flag.value else (negation(test, span), false, true)
        from pybpf.compiler.frontend.wording import equal

        checker.fail(errors.IsOnValues(span, op, equal(checker, lhs, rhs, op)))
    if not isinstance(lhs, tree.Expr):
        return constant_outcome(checker, isinstance(lhs, Known) and lhs.value is None, span)
    expr = lhs
    if kinds.may_be_null(expr.type):
        null = tree.NoneValue(expr.type, rhs.span)
        return tree.Compare(BOOL, span, "==", expr, null), checker.state, _there(checker, expr)
    if isinstance(expr, tree.Unwrap) and isinstance(expr.value, tree.Local):
        # known to be present: still a comparison, which the optimiser removes; nothing new is learnt
        return tree.IsNone(BOOL, span, expr.value), checker.state, checker.state
    state = checker.state
    assert state is not None
    if not isinstance(expr.type, OptionalType):
        if isinstance(expr.type, NoneType) and not is_simple(expr):
            checker.fail(errors.NothingReturned(expr.span, checker.text(expr.span)))
        if is_simple(expr):
            return constant_outcome(checker, isinstance(expr.type, NoneType), span)
        let = tree.Let(BOOL, span, checker.temporary(expr.type, expr), expr, tree.Const(BOOL, span, 0))
        return let, state, state  # evaluated all the same
    test = tree.IsNone(BOOL, span, expr)
    var = underlying(checker, expr)
    fact = state.get(var.name) if var is not None else None
    if var is None or fact is None:
        return test, state, state
    if checker.releases:
        _tested(checker, var, fact, span)
    absent = flow.absent(state, var.name) if fact.presence != flow.PRESENT else state
    present = {**state, var.name: replace(fact, presence=flow.PRESENT)} if fact.presence != flow.ABSENT else state
    return test, absent, present


def ordered(
    checker: Checker, op: str, lhs: Value, rhs: Value, span: Span
) -> tuple[tree.Expr, State | None, State | None]:
    """== != < <= > >= of numbers, texts or packet addresses."""
    if isinstance(lhs, Known) and isinstance(rhs, Known):
        return _known(checker, op, lhs, rhs, span)
    if isinstance(lhs, TupleValue) or isinstance(rhs, TupleValue):
        from pybpf.compiler.frontend import tuples

        decided = tuples.compare(checker, op, lhs, rhs, span)
        if decided is not None:
            return decided
    if any(isinstance(type_of(v), OptionalType) and not kinds.may_be_null(type_of(v)) for v in (lhs, rhs)):
        from pybpf.compiler.frontend.equality import optionals

        decided = optionals(checker, op, lhs, rhs, span)
        if decided is not None:
            return decided
    if _is_text(lhs) or _is_text(rhs):
        from pybpf.compiler.frontend.texts import compared

        return compared(checker, op, lhs, rhs, span), checker.state, checker.state
    for a, b in ((lhs, rhs), (rhs, lhs)):
        if isinstance(a, Known) and a.value is None:
            text = checker.text(b.span)
            test = f"{text} is None" if op == "==" else f"{text} is not None"
            checker.fail(errors.CompareNone(span, op, text, test))
        kind = type_of(a)
        if kinds.may_be_null(kind):
            return _pointers(checker, op, lhs, rhs, span), checker.state, checker.state
        if isinstance(kind, PtrType) and kind.space in (Space.PACKET, Space.PACKET_END) and kind.pointee is None:
            return _addresses(checker, op, lhs, rhs, span), checker.state, checker.state
        if isinstance(kind, PtrType) and kind.pointee is not None:
            from pybpf.compiler.frontend.advise import fields_compared
            from pybpf.compiler.frontend.equality import objects

            whole = objects(checker, op, lhs, rhs, span)
            if whole is not None:
                return whole, checker.state, checker.state
            alike = kinds.aggregate(type_of(lhs)) is kinds.aggregate(type_of(rhs))
            lines = fields_compared(kind, op, checker.text(lhs.span), checker.text(rhs.span)) if alike else ()
            checker.fail(errors.CompareObjects(span, op, kinds.spell(kind), lines))
    x, y = number(checker, lhs), number(checker, rhs)
    kind = common_type(checker, x, y, op)
    check_sign(checker, kind, x, lhs.span, y, op)
    check_sign(checker, kind, y, rhs.span, x, op)
    left, right = to_type(checker, x, kind, lhs.span), to_type(checker, y, kind, rhs.span)
    first, second = range_of(checker, left), range_of(checker, right)
    true = _narrowed(checker, left, op, second)
    true = _narrowed(checker, right, _FLIPPED[op], first, true)
    negated = _NEGATED[op]
    false = _narrowed(checker, left, negated, second)
    false = _narrowed(checker, right, _FLIPPED[negated], first, false)
    return tree.Compare(BOOL, span, op, left, right), true, false


def _warn_of_decided(checker: Checker, expr: tree.Expr, lhs: Value, rhs: Value) -> None:
    """Say so where the type of one side decides a comparison with a number that is written out.

    Constants by name, and arguments, may differ another time; and `0 <= x < n` is a habit, so chains are left alone.
    """
    if not isinstance(expr, tree.Compare) or checker.in_library:
        return
    for number_side, other, op in ((rhs, lhs, expr.op), (lhs, rhs, _FLIPPED[expr.op])):
        if not (isinstance(number_side, Known) and isinstance(number_side.value, int) and isinstance(other, tree.Expr)):
            continue
        if checker.text(number_side.span).lstrip("-(")[:1].isdigit():
            value = int(number_side.value)
            outcome = ranges.compare(op, ranges.of_type(other.type), (value, value))
            if outcome is not None:
                text, kind = checker.text(expr.span), kinds.spell(other.type)
                least, most = ranges.of_type(other.type)
                outcome_text = "true" if outcome else "false"
                checker.report(errors.AlwaysDecided(expr.span, text, outcome_text, kind, least, most))


def _known(
    checker: Checker, op: str, lhs: Known, rhs: Known, span: Span
) -> tuple[tree.Expr, State | None, State | None]:
    try:
        return constant_outcome(checker, bool(_EVALUATE[op](lhs.value, rhs.value)), span)
    except Exception:  # the objects are the user's: their comparison may raise anything
        checker.fail(errors.CompareObjects(span, op, "these objects"))


def _is_text(value: Value) -> bool:
    if isinstance(value, Known):
        return isinstance(value.value, (str, bytes))
    kind = type_of(value)
    return isinstance(kind, PtrType) and isinstance(kind.pointee, (TextType, BytesType))


def _pointers(checker: Checker, op: str, lhs: Value, rhs: Value, span: Span) -> tree.Expr:
    """Pointers of the kernel: whether they point to the same."""
    left, right = materialize(checker, lhs), materialize(checker, rhs)
    kind = kinds.join(left.type, right.type)
    if op not in ("==", "!="):
        checker.fail(errors.CompareObjects(span, op, kinds.spell(left.type)))
    if kind is None or not kinds.may_be_null(kind):
        other = right if kinds.may_be_null(left.type) else left
        pointer = left if other is right else right
        given, wanted = kinds.spell(other.type), kinds.spell(pointer.type)
        advice: tuple[str, tuple[str, ...]] = ("", ())
        if kinds.is_int(other.type):
            address = f"u64({checker.text(pointer.span)}) {op} {checker.text(other.span)}"
            advice = "compare the address, which is a number:", (address,)
        checker.fail(errors.WrongType(other.span, given, wanted, "this comparison", None, *advice))
    return tree.Compare(BOOL, span, op, convert(checker, left, kind, "this"), convert(checker, right, kind, "this"))


def _addresses(checker: Checker, op: str, lhs: Value, rhs: Value, span: Span) -> tree.Expr:
    from pybpf.compiler.frontend.advise import given

    left, right = materialize(checker, lhs), materialize(checker, rhs)
    for side in (left, right):
        if not (isinstance(side.type, PtrType) and side.type.pointee is None):
            checker.fail(errors.WrongType(side.span, given(side), "a packet address", "this comparison"))
    return tree.Compare(BOOL, span, op, left, right)
