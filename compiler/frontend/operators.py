"""Arithmetic: `+ - * // % & | ^ << >>`, unary `- + ~`. In: values. Out: 64-bit nodes with both operands of their type.

Which type that is:
    shifts             the left operand's: i64 if it is signed, else u64
    u64 takes part     u64, wraps
    a signed operand   i64
    narrower unsigned  i64 for `-`, which is exact; u64 for the rest
    two bools          bool for `& | ^`
    only bools         i64: what Python's True and False are worth
A literal adapts to the other operand. Two constants are computed at once, exactly, as Python does.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import constant, number, widened
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.measure import range_of, within
from pybpf.compiler.schema.types import BOOL, I64, U64, BoolType, IntType, PtrType, Space, TextType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any, NoReturn

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.types import ArrayType, Type
else:
    import _ast as ast

__all__ = ["SYMBOLS", "arithmetic", "binary", "check_sign", "common_type", "to_type", "unary"]

SYMBOLS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%", ast.BitAnd: "&", ast.BitOr: "|",
    ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@",
}  # fmt: skip

_FOLD: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "**": lambda a, b: a**b,
}


def binary(checker: Checker, node: ast.BinOp, want: Type | None) -> Value:
    """An `ast.BinOp`."""
    op = SYMBOLS[type(node.op)]
    if op == "*" and isinstance(node.left, (ast.List, ast.Tuple)) and (kind := kinds.wanted_array(want)) is not None:
        made = _repeated(checker, node, kind)
        if made is not None:
            return made
    return arithmetic(checker, op, checker.expr(node.left), checker.expr(node.right), checker.span(node))


def _repeated(checker: Checker, node: ast.BinOp, kind: ArrayType) -> Value | None:
    """`[0] * 16` where an array is wanted: constants or variables, and how often."""
    from pybpf.compiler.frontend.construct import array_of

    assert isinstance(node.left, (ast.List, ast.Tuple))
    count = checker.expr(node.right)
    if not isinstance(count, Known) or not isinstance(count.value, int) or not kinds.is_int(kind.element):
        return None
    if not all(isinstance(item, (ast.Constant, ast.Name)) for item in node.left.elts):
        return None
    items = [checker.expr(item, kind.element) for item in node.left.elts]
    if len(items) * count.value != kind.length:
        shown = kinds.written(kind)
        checker.fail(errors.ArrayItems(checker.span(node), shown, kind.length, max(len(items) * count.value, 0)))
    return array_of(checker, kind, items * count.value, checker.span(node))


def arithmetic(checker: Checker, op: str, lhs: Value, rhs: Value, span: Span) -> Value:
    """lhs op rhs, for any two values."""
    if isinstance(lhs, Known) and isinstance(rhs, Known):
        folded = _fold(checker, op, lhs, rhs, span)
        if folded is not None:
            return folded
    for side in (lhs, rhs):
        _check_operand(checker, op, side, span)
    if op == "/":
        from pybpf.compiler.frontend.wording import floored

        checker.fail(errors.TrueDivision(span, floored(checker, lhs, rhs, span)))
    if op == "**":
        power = _power(checker, lhs, rhs, span)
        if power is not None:
            return power
    if op in ("**", "@"):
        checker.fail(errors.NoOperator(span, op, checker.text(lhs.span), checker.text(rhs.span)))
    if op == "-" and all(isinstance(side, tree.Expr) and _in_packet(side.type) for side in (lhs, rhs)):
        return _distance(checker, lhs, rhs, span)
    for side in (lhs, rhs):
        if isinstance(side, tree.Expr) and isinstance(side.type, PtrType) and side.type.space == Space.PACKET_END:
            checker.fail(errors.AddressArithmetic(span, op, ""))
    if isinstance(lhs, tree.Expr) and _is_address(lhs.type):
        return _move(checker, op, lhs, rhs, span)
    if isinstance(rhs, tree.Expr) and _is_address(rhs.type) and op == "+":
        return _move(checker, op, rhs, lhs, span)
    if op in ("&", "|", "^") and _is_bool(lhs) and _is_bool(rhs):
        return _both_bools(checker, op, lhs, rhs, span)
    a, b = number(checker, lhs), number(checker, rhs)
    kind = _shift_type(a) if op in ("<<", ">>") else common_type(checker, a, b, op)
    if op in ("<<", ">>"):
        _check_shift(checker, op, b, rhs.span)
    if op in ("//", "%"):
        _check_division(checker, op, kind, a, b, lhs.span, rhs.span)
    left = to_type(checker, a, kind, lhs.span, wrap=op in ("&", "|", "^", "+", "-", "*"))
    right = to_type(checker, b, kind, rhs.span, wrap=op in ("&", "|", "^", "+", "-", "*"))
    made = tree.Binary(kind, span, op, left, right)
    range_of(checker, made)
    return made


def _power(checker: Checker, lhs: Value, rhs: Value, span: Span) -> Value | None:
    """`x ** 3` as products; `2 ** n`, and of other powers of two, as a shift where n is surely small enough."""
    if isinstance(rhs, Known) and isinstance(rhs.value, int) and isinstance(lhs, tree.Expr) and 0 < rhs.value <= 64:
        if isinstance(lhs, tree.Const) or rhs.value == 1:
            lets: list[tuple[tree.Var, tree.Expr]] = []
            base: Value = lhs
        else:
            var = checker.temporary(lhs.type, lhs)
            lets, base = [(var, lhs)], checker.local(var, lhs.span)
        made: Value = base
        for bit in bin(rhs.value)[3:]:  # square and multiply, from the bit after the highest
            if isinstance(made, tree.Expr) and not isinstance(made, (tree.Local, tree.Const)):
                step = checker.temporary(made.type, made)
                lets.append((step, made))
                made = checker.local(step, span)
            made = arithmetic(checker, "*", made, made, span)
            if bit == "1":
                made = arithmetic(checker, "*", made, base, span)
        if rhs.value == 1:
            made = arithmetic(checker, "+", made, Known(0, span), span)
        assert isinstance(made, tree.Expr)
        for var, value in reversed(lets):
            made = tree.Let(made.type, span, var, value, made)
            range_of(checker, made)
        return made
    if isinstance(lhs, Known) and isinstance(lhs.value, int) and isinstance(rhs, tree.Expr) and lhs.value > 1:
        bits = lhs.value.bit_length() - 1
        count = number(checker, rhs)
        if lhs.value == 1 << bits and isinstance(count, tree.Expr):
            lo, hi = range_of(checker, count)
            if lo >= 0 and hi * bits < 64:
                shift = arithmetic(checker, "*", count, Known(bits, span), span) if bits > 1 else count
                return arithmetic(checker, "<<", tree.Const(U64, span, 1), shift, span)
    return None


def _fold(checker: Checker, op: str, lhs: Known, rhs: Known, span: Span) -> Known | None:
    """Two constants, computed as Python does."""
    a, b = lhs.value, rhs.value
    ints = isinstance(a, int) and isinstance(b, int)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not ints:  # for int(1.5 * SECOND)
        try:
            return Known(a / b if op == "/" else _FOLD[op](a, b), span)
        except Exception as error:
            problem = f"raises {type(error).__name__}: {error}"
            checker.fail(errors.ConstantLookup(span, f"`{checker.text(span)}`", problem))
    texts = op == "+" and type(a) is type(b) and isinstance(a, (str, bytes, tuple))
    if (not ints and not texts) or op in ("/", "@"):
        return None
    if ints and op in ("<<", "**") and not 0 <= b <= 256:
        if op == "<<":
            checker.fail(errors.ShiftCount(rhs.span, int(b)))
        if b < 0:
            checker.fail(errors.NoFloat(span, None, checker.text(span)))
        problem = "can't be computed: the exponent is larger than 256"
        checker.fail(errors.ConstantLookup(rhs.span, f"`{checker.text(span)}`", problem))
    if ints and op == ">>" and b < 0:
        checker.fail(errors.ShiftCount(rhs.span, int(b)))
    if ints and op in ("//", "%") and b == 0:
        checker.fail(errors.DivisionByZero(rhs.span, op))
    return Known(_FOLD[op](a, b), span)


def _text_operand(checker: Checker, op: str, span: Span) -> NoReturn:
    from pybpf.compiler.frontend.fstrings import of_operator

    example = of_operator(checker.text(span)) if span.line == span.end_line else ""
    checker.fail(errors.NoTextOperator(span, op, example))


def _check_operand(checker: Checker, op: str, value: Value, span: Span) -> None:
    if isinstance(value, Known) and isinstance(value.value, (float, complex)):
        checker.fail(errors.NoFloat(value.span, value.value, checker.text(value.span)))
    if isinstance(value, Known) and isinstance(value.value, (str, bytes)):
        _text_operand(checker, op, span)
    if isinstance(value, tree.Expr) and isinstance(value.type, PtrType) and isinstance(value.type.pointee, TextType):
        _text_operand(checker, op, span)


def _is_bool(value: Value) -> bool:
    if isinstance(value, Known):
        return isinstance(value.value, bool)
    return isinstance(value, tree.Expr) and isinstance(value.type, BoolType)


def _both_bools(checker: Checker, op: str, lhs: Value, rhs: Value, span: Span) -> tree.Expr:
    """`& | ^` of two bools, which is one, as in Python."""
    a = to_type(checker, number(checker, lhs), U64, lhs.span)
    b = to_type(checker, number(checker, rhs), U64, rhs.span)
    if op == "^":
        return tree.Compare(BOOL, span, "!=", a, b)
    made = tree.Binary(U64, span, op, a, b)
    range_of(checker, made)
    return tree.Compare(BOOL, span, "!=", made, constant(checker, 0, U64, span))


def _is_address(kind: Type) -> bool:
    """A place in the packet; a reference to a header there is an object instead."""
    return isinstance(kind, PtrType) and kind.space == Space.PACKET and kind.pointee is None


def _move(checker: Checker, op: str, address: tree.Expr, by: Value, span: Span) -> tree.Expr:
    """A packet address and a number of bytes."""
    if op != "+":
        checker.fail(errors.AddressArithmetic(span, op, checker.text(address.span)))
    offset = number(checker, by)
    expr = constant(checker, offset, I64, by.span) if isinstance(offset, int) else offset
    lo, hi = range_of(checker, expr)
    if lo < 0 or hi > 0xFFFF:  # MAX_PACKET_OFF of kernel/bpf/verifier.c
        from pybpf.compiler.frontend.wording import early_return

        checker.fail(errors.PacketOffset(by.span, checker.text(by.span), lo, hi, early_return(checker)))
    _, far = range_of(checker, address)
    if far <= 0xFFFF < far + hi:
        checker.fail(errors.PacketTooFar(span, f"`{checker.text(address.span)}`", far, hi))
    return tree.PtrOffset(address.type, span, address, within(to_type(checker, offset, I64, by.span), 0, hi))


def _in_packet(kind: Type) -> bool:
    """A place in the packet, or its end."""
    return _is_address(kind) or (isinstance(kind, PtrType) and kind.space == Space.PACKET_END)


def _distance(checker: Checker, lhs: Any, rhs: Any, span: Span) -> tree.Expr:
    """Bytes between two places in the packet. Written as text, which no optimisation takes apart: the verifier allows
    the difference, but not, for example, the packet's end less a number.
    """
    made = tree.Asm(U64, span, "{0} = {1}; {0} -= {2}", (lhs, rhs))
    checker.made(made)
    return widened(checker, made, I64)


def _shift_type(a: tree.Expr | int) -> IntType:
    if isinstance(a, int):
        return I64 if a < 0 else U64
    return I64 if kinds.is_signed(a.type) or isinstance(a.type, BoolType) else U64


def common_type(checker: Checker, a: tree.Expr | int, b: tree.Expr | int, op: str) -> IntType:
    """The 64-bit type that two numbers are computed or compared in."""
    if isinstance(a, int) and isinstance(b, int):
        return I64 if min(a, b) < 0 else U64
    types = [x.type for x in (a, b) if not isinstance(x, int)]
    if any(kinds.is_wide(t) for t in types):
        return U64
    literals = [x for x in (a, b) if isinstance(x, int)]
    if any(kinds.is_signed(t) for t in types) or any(x < 0 for x in literals):
        return I64
    if all(isinstance(t, BoolType) for t in types) and all(x <= I64.max for x in literals):
        return I64
    if any(x > I64.max for x in literals):
        return U64
    return I64 if op == "-" else U64


def to_type(checker: Checker, value: tree.Expr | int, kind: IntType, span: Span, wrap: bool = False) -> tree.Expr:
    """An operand as the type of its operation. `wrap`: a negative literal may become its 64-bit pattern."""
    if not isinstance(value, int):
        return widened(checker, value, kind)
    if wrap and not kind.signed and -(1 << 63) <= value < 0:
        value += 1 << 64
    return constant(checker, value, kind, span)


def _check_shift(checker: Checker, op: str, count: tree.Expr | int, span: Span) -> None:
    lo, hi = (count, count) if isinstance(count, int) else range_of(checker, count)
    if hi < 0 or lo > 63:
        checker.fail(errors.ShiftCount(span, lo))


def enclosed(text: str) -> str:
    """A piece of source text as an operand: in parentheses where an operator would take part of it away."""
    return f"({text})" if " " in text and not text.endswith((")", "]")) else text


def _check_division(
    checker: Checker, op: str, kind: IntType, a: tree.Expr | int, b: tree.Expr | int, left: Span, right: Span
) -> None:
    """The divisor is not a constant zero; a u64 does not meet a number that may be negative."""
    lo, hi = (b, b) if isinstance(b, int) else range_of(checker, b)
    if lo == hi == 0:
        checker.fail(errors.DivisionByZero(right, op))
    if lo <= 0 <= hi and not checker.in_library and not _is_never_zero(b):
        checker.report(errors.MayDivideByZero(right, enclosed(checker.text(right)), op))
    for side, span, other in ((a, left, b), (b, right, a)):
        check_sign(checker, kind, side, span, other, op)


def _is_never_zero(value: tree.Expr | int) -> bool:
    """Whether a number's form shows it: `x or 1`, `x | 1`. An interval of signed numbers can't leave zero out."""
    if isinstance(value, int):
        return value != 0
    if isinstance(value, tree.Const):
        return value.value != 0
    if isinstance(value, tree.Let):
        return _is_never_zero(value.body)
    if isinstance(value, tree.Binary):
        return value.op == "|" and (_is_never_zero(value.lhs) or _is_never_zero(value.rhs))
    if isinstance(value, tree.IfExp):
        tested = _unconverted(value.test.value) if isinstance(value.test, tree.Truth) else None
        then = _unconverted(value.then)
        same = isinstance(tested, tree.Local) and isinstance(then, tree.Local) and tested.var is then.var
        return _is_never_zero(value.other) and (same or _is_never_zero(value.then))
    inner = _unconverted(value)
    return inner is not value and _is_never_zero(inner)


def _unconverted(value: tree.Expr) -> tree.Expr:
    """A number without conversions to a wider type."""
    while isinstance(value, tree.Convert):
        to, held = kinds.int_base(value.type), kinds.int_base(value.value.type)
        if to is None or held is None or to.bits < held.bits:
            return value
        value = value.value
    return value


def check_sign(
    checker: Checker, kind: IntType, side: tree.Expr | int, span: Span, other: tree.Expr | int, op: str
) -> None:
    """Refuse a number that may be negative where it would be taken for a u64."""
    if kind.signed:
        return
    lo = side if isinstance(side, int) else range_of(checker, side)[0]
    if lo < 0:
        spelled = "" if isinstance(side, int) else kinds.spell(side.type)
        unsigned = "..." if isinstance(other, int) else checker.text(other.span)
        literal = isinstance(side, int)
        checker.fail(errors.SignedMeetsUnsigned(span, op, spelled, checker.text(span), unsigned, literal))


def unary(checker: Checker, node: ast.UnaryOp, want: Type | None) -> Value:
    """`-x`, `+x`, `~x`; `not x` is a condition."""
    span = checker.span(node)
    if isinstance(node.op, ast.Not):
        from pybpf.compiler.frontend.conditions import condition_value

        return condition_value(checker, node, want)
    value = checker.expr(node.operand)
    if isinstance(value, Known) and isinstance(value.value, int):
        known = int(value.value)
        return Known(
            -known if isinstance(node.op, ast.USub) else ~known if isinstance(node.op, ast.Invert) else known, span
        )
    if isinstance(value, Known):
        _check_operand(checker, "-", value, span)
    a = number(checker, value)
    assert not isinstance(a, int)
    kind = U64 if kinds.is_wide(a.type) else I64
    operand = widened(checker, a, kind)
    if isinstance(node.op, ast.UAdd):
        return operand
    made = tree.Unary(kind, span, "-" if isinstance(node.op, ast.USub) else "~", operand)
    range_of(checker, made)
    return made
