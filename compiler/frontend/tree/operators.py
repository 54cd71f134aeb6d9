"""Expressions: arithmetic, comparison, logic, conversions, Optionals and addresses."""

from __future__ import annotations

from pybpf.compiler.frontend.tree.nodes import Expr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.tree.nodes import Var

__all__ = [
    "And", "Binary", "Cast", "Compare", "Convert", "IfExp", "IsNone", "Let", "Not", "Or", "PtrOffset",
    "TextCompare", "Truth", "Unary", "Unwrap", "Within", "Wrap",
]  # fmt: skip


class Unary(Expr):
    """-x or ~x ("-", "~"), in 64 bits of the signedness of `type`; the operand is of that type."""

    op: str
    value: Expr


class Binary(Expr):
    """lhs op rhs with op in + - * // % & | ^ << >>; `type` is I64 or U64 and both operands are of that type.

    It wraps in 64 bits. // and % floor, as in Python; x // 0 is 0 and x % 0 is x. Shift counts are masked with 63;
    >> is arithmetic for I64. A divisor, or a shift count, is never a narrower value that needs converting.
    """

    op: str
    lhs: Expr
    rhs: Expr


class Compare(Expr):
    """lhs op rhs with op in == != < <= > >=; both ints of one type (I64 or U64), or both addresses. Type BOOL."""

    op: str
    lhs: Expr
    rhs: Expr


class TextCompare(Expr):
    """Whether two texts are equal up to their first NUL (bytes: entirely). `equal` False negates. Type BOOL.

    `rhs` is a TextConst or a reference; sizes may differ.
    """

    lhs: Expr
    rhs: Expr
    equal: bool = True


class Truth(Expr):
    """bool(value) for an int (!= 0), an Optional int (present and != 0), a reference (True) or Optional reference.
    BOOL.
    """

    value: Expr


class Not(Expr):
    """not value; the operand is BOOL."""

    value: Expr


class And(Expr):
    """lhs and rhs, both BOOL; rhs is evaluated only if lhs is true."""

    lhs: Expr
    rhs: Expr


class Or(Expr):
    """lhs or rhs, both BOOL; rhs is evaluated only if lhs is false."""

    lhs: Expr
    rhs: Expr


class IfExp(Expr):
    """then if test else other: test is BOOL, both sides have this expression's type."""

    test: Expr
    then: Expr
    other: Expr


class Let(Expr):
    """Assign `value` to the fresh variable `var`, then the value of `body`, which may use it."""

    var: Var
    value: Expr
    body: Expr


class Convert(Expr):
    """value as the int type `type`: wraps (keeps the low bits, reinterpreted in the new signedness). bool counts as
    0/1.
    """

    value: Expr


class IsNone(Expr):
    """value is None, for an Optional. Type BOOL."""

    value: Expr


class Wrap(Expr):
    """A present value as the Optional `type`."""

    value: Expr


class Unwrap(Expr):
    """The value in an Optional that flow analysis has shown to be present here."""

    value: Expr


class Within(Expr):
    """A number that has been shown to lie in least..most, where the verifier has to know that too."""

    value: Expr
    least: int
    most: int


class PtrOffset(Expr):
    """base + offset bytes, for an address into the packet; the offset is an int expression."""

    base: Expr
    offset: Expr


class Cast(Expr):
    """The same address as another pointer type, `header.at(address)`; as a number, `u64(task)`."""

    value: Expr
