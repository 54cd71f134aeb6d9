"""Intervals of integers: what the checker knows about the value of a number. In: intervals. Out: intervals.

An interval (lo, hi) is inclusive and holds every value that the number may have at that place. The checker needs it to
show that an index lies inside its array, that a signed number is not negative, that a loop ends; the verifier, which
follows the same comparisons, then sees the same bounds.
"""

from __future__ import annotations

from pybpf.compiler.schema.types import BoolType, EnumType, IntType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pybpf.compiler.schema.types import Type

    Interval: TypeAlias = "tuple[int, int]"

__all__ = [
    "EMPTY", "EVERYTHING", "I64_RANGE", "U64_RANGE", "arithmetic", "compare", "join", "meet", "narrow", "of_type",
    "wrap",
]  # fmt: skip

I64_RANGE = (-(1 << 63), (1 << 63) - 1)
U64_RANGE = (0, (1 << 64) - 1)
EVERYTHING = (-(1 << 63), (1 << 64) - 1)
# The interval of a number that is not there, in an Optional: joined with another it gives that.
EMPTY = (1 << 64, -(1 << 64))
# A step this small cannot bring a signed counter of 64 bits to overflow within the million instructions the verifier
# allows. (An unsigned one wraps by one step down from zero.)
_SMALL = 1 << 32


def of_type(type: Type) -> Interval:
    """All values of a type; bits of either sign for what is not a number."""
    if isinstance(type, IntType):
        return type.min, type.max
    if isinstance(type, BoolType):
        return 0, 1
    if isinstance(type, EnumType):
        return type.base.min, type.base.max
    return EVERYTHING


def join(a: Interval, b: Interval) -> Interval:
    return min(a[0], b[0]), max(a[1], b[1])


def meet(a: Interval, b: Interval) -> Interval | None:
    """What lies in both; None where nothing does."""
    lo, hi = max(a[0], b[0]), min(a[1], b[1])
    return (lo, hi) if lo <= hi else None


def wrap(value: Interval, type: Type) -> Interval:
    """The interval after a conversion that keeps the low bits: unchanged where it fits, else all of the type."""
    lo, hi = of_type(type)
    return value if lo <= value[0] and value[1] <= hi else (lo, hi)


def arithmetic(op: str, a: Interval, b: Interval, limits: Interval) -> Interval:
    """The interval of `a op b` computed in 64 bits, whose values are `limits` (I64_RANGE or U64_RANGE)."""
    exact = _exact(op, a, b)
    if exact is None:
        return limits
    lo, hi = exact
    if limits[0] <= lo and hi <= limits[1]:
        return lo, hi
    if op in "+-" and limits[0] and (_is_step(b) or (op == "+" and _is_step(a))):
        return max(lo, limits[0]), min(hi, limits[1])
    return limits


def _is_step(value: Interval) -> bool:
    return value[0] >= -_SMALL and value[1] <= _SMALL


def _exact(op: str, a: Interval, b: Interval) -> Interval | None:
    """The mathematical result; None where nothing useful is known."""
    match op:
        case "+":
            return a[0] + b[0], a[1] + b[1]
        case "-":
            return a[0] - b[1], a[1] - b[0]
        case "*":
            corners = [x * y for x in a for y in b]
            return min(corners), max(corners)
        case "//":
            if b[0] <= 0 <= b[1]:
                # x // 0 is 0; any other quotient is no further from zero than x is
                bound = max(abs(a[0]), abs(a[1]))
                return (0, bound) if a[0] >= 0 and b[0] >= 0 else (-bound, bound)
            corners = [x // y for x in a for y in b]
            return min(corners), max(corners)
        case "%":
            if b[0] > 0:
                return a if a[0] >= 0 and a[1] < b[0] else (0, min(b[1] - 1, a[1]) if a[0] >= 0 else b[1] - 1)
            if b[0] == 0 and a[0] >= 0:
                return 0, max(a[1], 0)
            return None
        case "&":
            if a[0] >= 0 and b[0] >= 0:
                return 0, min(a[1], b[1])
            if a[0] >= 0:
                return 0, a[1]
            if b[0] >= 0:
                return 0, b[1]
            return None
        case "|" | "^":
            if a[0] < 0 or b[0] < 0:
                return None
            top = (1 << max(a[1].bit_length(), b[1].bit_length())) - 1
            return (max(a[0], b[0]) if op == "|" else 0), top
        case "<<":
            if b[0] < 0 or b[1] > 63:
                return None
            corners = [x << y for x in a for y in b]
            return min(corners), max(corners)
        case ">>":
            if b[0] < 0 or b[1] > 63:
                return (0, a[1]) if a[0] >= 0 else None
            corners = [x >> y for x in a for y in b]
            return min(corners), max(corners)
    return None


def compare(op: str, a: Interval, b: Interval) -> bool | None:
    """The outcome of a comparison where the intervals decide it."""
    match op:
        case "==":
            return True if a[0] == a[1] == b[0] == b[1] else False if meet(a, b) is None else None
        case "!=":
            outcome = compare("==", a, b)
            return None if outcome is None else not outcome
        case "<":
            return True if a[1] < b[0] else False if a[0] >= b[1] else None
        case "<=":
            return True if a[1] <= b[0] else False if a[0] > b[1] else None
        case ">":
            return compare("<", b, a)
    return compare("<=", b, a)


def narrow(op: str, a: Interval, b: Interval) -> Interval | None:
    """What is known of `a` once `a op b` is true; None where it cannot be."""
    match op:
        case "==":
            return meet(a, b)
        case "!=":
            if b[0] == b[1]:
                if a[0] == a[1] == b[0]:
                    return None
                if a[0] == b[0]:
                    return a[0] + 1, a[1]
                if a[1] == b[0]:
                    return a[0], a[1] - 1
            return a
        case "<":
            return meet(a, (a[0], b[1] - 1))
        case "<=":
            return meet(a, (a[0], b[1]))
        case ">":
            return meet(a, (b[0] + 1, a[1]))
    return meet(a, (b[0], a[1]))
