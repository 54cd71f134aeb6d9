"""`printk(f"{comm()} {n:x}")`: an f-string as a printf format and its arguments.

The format is what the kernel's bpf_bprintf_prepare (kernel/bpf/helpers.c) takes: `%[0 +-][width]` and one of `lld llu
llx llX s`, ASCII only. Texts are passed by reference, numbers in 64 bits. A bool prints as Python prints it, by
choosing between two texts.
"""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import materialize, maybe_none, widened
from pybpf.compiler.frontend.helpers import check_licence
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.measure import range_of
from pybpf.compiler.schema.types import I64, NONE, U64, BoolType, IntType, OptionalType, PtrType, Space, TextType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast

__all__ = ["printk", "seq_printf"]

_NUMBERS = "a number takes a width and d, x or X: {n:5}, {n:<5}, {n:08}, {n:x}, {n:#x}, {n:08x}"
_MOST_ARGUMENTS = 12  # MAX_BPRINTF_VARARGS
_PLAIN_ARGUMENTS = 3  # more of them need bpf_trace_vprintk, not bpf_trace_printk
_VPRINTK = "5.16"
_CONSTANTS = "5.2"  # the text lies among the constants of the object


def printk(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    if len(node.args) != 1 or node.keywords:
        from pybpf.compiler.frontend.fstrings import of_call

        checker.fail(errors.PrintkArgument(span, of_call(checker, node)))
    check_licence(checker, "bpf_trace_printk", span)
    made = _formatted(checker, node, span)
    checker.check_release("printk()", _CONSTANTS, span)
    if len(made.args) > _PLAIN_ARGUMENTS:
        checker.check_release(f"printk() of more than {_PLAIN_ARGUMENTS} values", _VPRINTK, span)
    return made


def seq_printf(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """`ctx.seq_printf(f"...")` of an iterator."""
    if len(node.args) != 1 or node.keywords:
        call = checker.text(checker.span(node.func))
        checker.fail(errors.CallArguments(span, "seq_printf()", "takes one f-string", f'{call}(f"...\\n")'))
    check_licence(checker, "bpf_seq_printf", span)
    context = checker.session.program.context
    file = context.field("seq") if context is not None else None
    assert file is not None, "it is a method of contexts that have such a file"
    made = _formatted(checker, node, span)
    return tree.Printk(NONE, span, made.format, made.args, tree.CtxLoad(file.type, span, file))


def _formatted(checker: Checker, node: ast.Call, span: Span) -> tree.Printk:
    """The format and the arguments of the call's only argument."""
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
        checker.fail(errors.PrintkCharacter(checker.span(node.args[0]), bad))
    if len(arguments) > _MOST_ARGUMENTS:
        checker.fail(errors.PrintkTooMany(span, len(arguments), _MOST_ARGUMENTS))
    return tree.Printk(NONE, span, text.encode(), tuple(arguments))


def _pieces(checker: Checker, node: Any) -> list[Any]:
    """The literal parts, as str, and the `ast.FormattedValue`s of a string expression."""
    if isinstance(node, ast.JoinedStr):
        return [p.value if isinstance(p, ast.Constant) else p for p in node.values]
    value = checker.expr(node)
    if isinstance(value, Known) and isinstance(value.value, str):
        return [value.value]
    where = checker.span(node)
    checker.fail(errors.PrintkArgument(where, f'printk(f"{{{checker.text(where)}}}")'))


def _argument(checker: Checker, piece: ast.FormattedValue) -> tuple[str, tree.Expr | None]:
    """The conversion for one `{...}`, and its argument (None: the value is a constant and part of the text)."""
    span = checker.span(piece.value)
    spec = _spec(checker, piece, span)
    value = checker.expr(piece.value)
    if isinstance(value, Known) and isinstance(value.value, (int, str)) and piece.conversion == -1:
        try:
            return format(value.value, spec).replace("%", "%%"), None
        except ValueError as error:
            checker.fail(errors.PrintkFormat(span, spec, str(error), "use what Python's format() takes"))
    expr = materialize(checker, value)
    if isinstance(expr.type, OptionalType):
        maybe_none(checker, expr)
    kind = kinds.aggregate(expr.type)
    as_str = isinstance(kind, TextType) and piece.conversion == 115  # !s
    as_str |= isinstance(expr.type, (IntType, BoolType)) and not spec  # !r and !a print a number as !s does
    if piece.conversion != -1 and not as_str:
        conversion = "!" + chr(piece.conversion)
        problem = "would add quotes" if isinstance(kind, TextType) else "makes a text of it first"
        checker.fail(errors.PrintkFormat(span, conversion, problem, "leave it out"))
    if isinstance(kind, TextType):
        return _text(checker, spec, span), expr
    if isinstance(expr.type, BoolType) and not spec:
        return "%s", _bool(expr, span)
    if not kinds.is_int(expr.type):
        from pybpf.compiler.frontend.fstrings import described, of_fields

        text = checker.text(span)
        checker.fail(errors.PrintkValue(span, text, described(expr), of_fields(text, kind), _lies_there(expr)))
    return _number(checker, expr, spec, span)


def _spec(checker: Checker, piece: ast.FormattedValue, span: Span) -> str:
    spec: Any = piece.format_spec
    if spec is None:
        return ""
    if not all(isinstance(p, ast.Constant) for p in spec.values):
        checker.fail(errors.PrintkFormat(span, "{...}", "known only at run time", "write the width as a number: {n:8}"))
    return "".join([p.value for p in spec.values])


def _text(checker: Checker, spec: str, span: Span) -> str:
    """`{s}`, `{s:16}`, `{s:>16}`, `{s:<16}`."""
    rest = spec.removesuffix("s")
    left = not rest.startswith(">")
    width = rest.lstrip("<>") if rest[:2] not in ("<<", ">>", "<>", "><") else "?"
    if width and not (width.isascii() and width.isdigit() and width[0] != "0"):
        checker.fail(errors.PrintkFormat(span, spec, "a text", "a text takes a width, {name:16} or {name:>16}"))
    return f"%{'-' if left and width else ''}{width}s"


def _bool(expr: tree.Expr, span: Span) -> tree.Expr:
    kind = PtrType(TextType(6), Space.STACK)
    yes, no = tree.TextConst(kind, span, b"True\0\0"), tree.TextConst(kind, span, b"False\0")
    return tree.IfExp(kind, span, expr, yes, no)


def _lies_there(expr: tree.Expr) -> str:
    """How to read what a pointer into the kernel's or the process's memory points to, for the help of PrintkValue."""
    from pybpf.compiler.frontend.helpers import is_kernel

    if not is_kernel(expr.type) or not isinstance(expr.type, PtrType):
        return ""
    pointee = expr.type.pointee
    if isinstance(pointee, IntType) and pointee.bits == 8:
        return "user_str" if expr.type.space == Space.USER else "kernel_str"
    return "struct"


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
        checker.fail(errors.PrintkFormat(span, spec, "a number", _NUMBERS))
    if prefix and width:
        if not zero or int(width) < 3:
            checker.fail(errors.PrintkFormat(span, spec, "padded by spaces", "put a zero before the width: {n:#010x}"))
        width = str(int(width) - 2)
    if letter != "d" and signed:
        text = checker.text(span)
        way = f"convert it to the width to print: {{u64({text}):{spec}}}"
        checker.fail(errors.PrintkFormat(span, spec, "may be negative", way))
    if plus and not signed:
        prefix, plus = "+" + prefix, False
        if width:
            checker.fail(errors.PrintkFormat(span, spec, "never negative", "leave out the + or the width"))
    kind = I64 if signed else U64
    conversion = "lld" if signed else "llu" if letter == "d" else f"ll{letter}"
    flags = ("-" if left and width else "") + ("+" if plus else "") + ("0" if zero else "")
    return f"{prefix}%{flags}{width}{conversion}", widened(checker, expr, kind)
