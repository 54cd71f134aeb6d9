"""What diagnostics quote of the user's text, and what they propose to write. Imported only where there is an error."""

from __future__ import annotations

from pybpf.compiler.frontend.scope import children
from pybpf.compiler.schema.span import Span
from pybpf.compiler.schema.types import BoolType, EnumType, IntType, NoneType, OptionalType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast

__all__ = ["early_return", "equal", "floored", "header", "negated", "slice_of", "statement"]

_NEGATED: dict[type, str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip


def header(span: Span) -> Span:
    """The first line of a compound statement."""
    if span.end_line == span.line:
        return span
    return Span(span.source, span.line, span.col, span.line, len(span.source.line(span.line).rstrip()))


def statement(span: Span) -> str:
    """The line that a region starts on, as a statement; `...` for the head of a block."""
    line = span.source.line(span.line).strip()
    return "..." if line.endswith((":", "(", "[", "{", ",")) or span.line != span.end_line else line


def early_return(checker: Checker) -> str:
    """A `return` that fits the function: with the answer that lets things go their way, where one is known."""
    wanted = checker.session.program.returns if checker.is_program else checker.declared_result
    if wanted is None and _gives_value(checker.node.body):
        return "return ..."
    return f"return {_neutral(wanted)}".rstrip()


def _gives_value(nodes: list[Any]) -> bool:
    """Whether there is a `return` with a value."""
    return any((isinstance(n, ast.Return) and n.value is not None) or _gives_value(children(n)) for n in nodes)


def _neutral(wanted: Type | None) -> str:
    if isinstance(wanted, EnumType):
        names = [name for name, _ in wanted.members]
        chosen = next((name for name in ("PASS", "OK", "ALLOW", "ACCEPT") if name in names), names[0] if names else "")
        return f"{wanted.name}.{chosen}" if chosen else "..."
    if wanted is None or isinstance(wanted, NoneType):
        return ""
    if isinstance(wanted, OptionalType):
        return "None"
    if isinstance(wanted, BoolType):
        return "False"
    return "0" if isinstance(wanted, IntType) else "..."


def negated(checker: Checker, node: Any) -> str:
    """The text of a condition that is true where `node` is false."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _text(checker, node.operand)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = _text(checker, node.left), _text(checker, node.comparators[0])
        return f"{left} {_NEGATED[type(node.ops[0])]} {right}"
    if isinstance(node, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
        return f"not {_text(checker, node)}"
    return f"not ({_text(checker, node)})"


def _text(checker: Checker, node: Any) -> str:
    text = checker.text(checker.span(node))
    return f"({text})" if isinstance(node, ast.NamedExpr) else text


def equal(checker: Checker, lhs: Value, rhs: Value, op: str) -> str:
    """`a == b` for `a is b`."""
    return f"{checker.text(lhs.span)} {'==' if op == 'is' else '!='} {checker.text(rhs.span)}"


def floored(checker: Checker, lhs: Value, rhs: Value, span: Span) -> str:
    """The user's `a / b` or `a /= b` with `//`."""
    if span.line != span.end_line:
        return "a // b"
    line = span.source.line(span.line)
    start, end = span.col, span.end_col
    if (lhs.span.line, lhs.span.end_line) == (span.line, span.line) and lhs.span.end_col <= rhs.span.col:
        start = lhs.span.end_col
        end = rhs.span.col
    between = line[start:end].replace("/", "//", 1)
    return line[span.col : start] + between + line[end : span.end_col]


def slice_of(checker: Checker, node: Any) -> tuple[str, int, int]:
    """The text of `x` in `x[a:b]`, its first index and its length; 0 and 0 where they are not written as constants."""
    base, bounds = _text(checker, node.value), node.slice
    low = 0 if bounds.lower is None else getattr(bounds.lower, "value", None)
    high = getattr(bounds.upper, "value", None)
    if type(low) is int and type(high) is int and 0 <= low < high and bounds.step is None:
        return base, low, high - low
    return base, 0, 0
