"""`printk(f"{comm()} {n:x}")`: an f-string as a printf format and its arguments.

The format is what the kernel's bpf_bprintf_prepare (kernel/bpf/helpers.c) takes: `%[0 +-][width]` and one of `lld llu
llx llX s`, ASCII only. Texts are passed by reference, numbers in 64 bits. A bool prints as Python prints it, by
choosing between two texts.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import materialize, maybe_none, widened
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.schema.types import I64, NONE, U64, BoolType, OptionalType, PtrType, Space, TextType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast

__all__ = ["printk"]

_MOST_ARGUMENTS = 12  # MAX_BPRINTF_VARARGS
_PLAIN_ARGUMENTS = 3  # more of them need bpf_trace_vprintk, not bpf_trace_printk
_VPRINTK = "5.16"


def printk(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    if len(node.args) != 1 or node.keywords:
        checker.fail(errors.PrintkArgument(span))
    pieces = _pieces(checker, node.args[0])
    text = ""
    arguments: list[tree.Expr] = []
    for piece in pieces:
        if isinstance(piece, str):
            text += piece.replace("%", "%%")
        else:
            conversion, argument = _argument(checker, piece)
            text += conversion
            if argument is not None:
                arguments.append(argument)
    bad = next((c for c in text if not (" " <= c <= "~" or c in "\n\t")), None)
    if bad is not None:
        checker.fail(errors.PrintkCharacter(checker.span(node.args[0]), ascii(bad)))
    if len(arguments) > _MOST_ARGUMENTS:
        checker.fail(errors.PrintkTooMany(span, len(arguments), _MOST_ARGUMENTS))
    if len(arguments) > _PLAIN_ARGUMENTS:
        checker.check_release(f"printk() of more than {_PLAIN_ARGUMENTS} values", _VPRINTK, span)
    return tree.Printk(NONE, span, text.encode(), tuple(arguments))


def _pieces(checker: Checker, node: Any) -> list[Any]:
    """The literal parts, as str, and the `ast.FormattedValue`s of a string expression."""
    if isinstance(node, ast.JoinedStr):
        return [p.value if isinstance(p, ast.Constant) else p for p in node.values]
    value = checker.expr(node)
    if isinstance(value, Known) and isinstance(value.value, str):
        return [value.value]
    checker.fail(errors.PrintkArgument(checker.span(node)))


def _argument(checker: Checker, piece: ast.FormattedValue) -> tuple[str, tree.Expr | None]:
    """The conversion for one `{...}`, and its argument (None: the value is a constant and part of the text)."""
    span = checker.span(piece.value)
    spec = _spec(checker, piece, span)
    value = checker.expr(piece.value)
    if isinstance(value, Known) and isinstance(value.value, (int, str)) and piece.conversion == -1:
        try:
            return format(value.value, spec).replace("%", "%%"), None
        except ValueError as error:
            checker.fail(errors.PrintkFormat(span, spec, str(error)))
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    kind = kinds.aggregate(expr.type)
    if piece.conversion not in (-1, 115) or (piece.conversion == 115 and not isinstance(kind, TextType)):  # !s
        checker.fail(errors.PrintkFormat(span, "!" + chr(piece.conversion), "only !s of a text is supported"))
    if isinstance(kind, TextType):
        return _text(checker, spec, span), expr
    if isinstance(expr.type, BoolType) and not spec:
        return "%s", _bool(expr, span)
    if not kinds.is_int(expr.type):
        checker.fail(errors.PrintkValue(span, kinds.spell(expr.type)))
    return _number(checker, expr, spec, span)


def _spec(checker: Checker, piece: ast.FormattedValue, span: Span) -> str:
    spec: Any = piece.format_spec
    if spec is None:
        return ""
    if not all(isinstance(p, ast.Constant) for p in spec.values):
        checker.fail(errors.PrintkFormat(span, "{...}", "a width must be written as a number"))
    return "".join([p.value for p in spec.values])


def _text(checker: Checker, spec: str, span: Span) -> str:
    """`{s}`, `{s:16}`, `{s:>16}`, `{s:<16}`."""
    rest = spec.removesuffix("s")
    left = not rest.startswith(">")
    width = rest.lstrip("<>") if rest[:2] not in ("<<", ">>", "<>", "><") else "?"
    if width and not (width.isascii() and width.isdigit() and width[0] != "0"):
        checker.fail(errors.PrintkFormat(span, spec, "a text takes a width, as in {name:16} or {name:>16}"))
    return f"%{'-' if left and width else ''}{width}s"


def _bool(expr: tree.Expr, span: Span) -> tree.Expr:
    kind = PtrType(TextType(6), Space.STACK)
    yes, no = tree.TextConst(kind, span, b"True\0\0"), tree.TextConst(kind, span, b"False\0")
    return tree.IfExp(kind, span, expr, yes, no)


def _number(checker: Checker, expr: tree.Expr, spec: str, span: Span) -> tuple[str, tree.Expr]:
    """`{n}`, `{n:d}`, `{n:x}`, `{n:#x}`, `{n:08x}`, `{n:5}`, `{n:<5}`, `{n:+}`."""
    lo, _ = range_of(checker, expr)
    signed = kinds.is_signed(expr.type) and lo < 0
    rest, letter = (spec[:-1], spec[-1]) if spec[-1:] in ("d", "x", "X") else (spec, "d")
    left = rest.startswith("<")
    rest = rest.removeprefix("<") if left else rest.removeprefix(">")
    plus = rest.startswith("+")
    rest = rest.removeprefix("+")
    prefix = ""
    if rest.startswith("#") and letter != "d":
        prefix, rest = "0x" if letter == "x" else "0X", rest[1:]
    zero = rest.startswith("0")
    width = rest[1:] if zero else rest
    if (width and not (width.isascii() and width.isdigit() and width[0] != "0")) or (zero and (not width or left)):
        checker.fail(
            errors.PrintkFormat(span, spec, "a number takes a width and d, x or X, as in {n:5}, {n:08x}, {n:#x}")
        )
    if prefix and width:
        if not zero or int(width) < 3:
            checker.fail(errors.PrintkFormat(span, spec, "with # a width needs a zero before it, as in {n:#010x}"))
        width = str(int(width) - 2)
    if letter != "d" and signed:
        checker.fail(
            errors.PrintkFormat(span, spec, "a negative number has no hexadecimal form here: write {u64(n):x}")
        )
    if plus and not signed:
        prefix, plus = "+" + prefix, False
        if width:
            checker.fail(errors.PrintkFormat(span, spec, "+ with a width needs a signed number"))
    kind = I64 if signed else U64
    conversion = "lld" if signed else "llu" if letter == "d" else f"ll{letter}"
    flags = ("-" if left and width else "") + ("+" if plus else "") + ("0" if zero else "")
    return f"{prefix}%{flags}{width}{conversion}", widened(checker, expr, kind)
