"""`asm(u64, "{out} = {a}; {out} += 5", a=value)`: instructions in the kernel's syntax, with operands by name.

In: the call. Out: tree.Asm, whose text has numbers for names. Imported only where a program uses it, since reading the
text takes lark. Operands are what a helper could be given: numbers, references, maps, the context. `{name:i}` is a
number known now, or the number of a helper.
"""

from __future__ import annotations

import re

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import kinds, tree
from pybpf.compiler.frontend.convert import convert, materialize, maybe_none, type_of
from pybpf.compiler.frontend.known import Known, describe
from pybpf.compiler.isa.asm import AsmError
from pybpf.compiler.isa.effects import OPERAND
from pybpf.compiler.isa.inline import read_inline
from pybpf.compiler.isa.levels import level, needs_kernel
from pybpf.compiler.schema.specs import LEVEL_SINCE, HelperSpec, MapSpec
from pybpf.compiler.schema.types import (
    BOOL,
    NONE,
    U64,
    BoolType,
    EnumType,
    IntType,
    NoneType,
    OptionalType,
    PtrType,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.known import Value
    from pybpf.compiler.isa.inline import InlineAsm
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast

__all__ = ["asm"]

_OPERAND = re.compile(r"\{(\w+)(:[wi])?\}")
_REGISTERS = 10


def asm(checker: Checker, node: ast.Call, span: Span, want: Type | None) -> Value:
    """The rule of the call."""
    result, text, at = _signature(checker, node, span)
    values = {k.arg: checker.expr(k.value) for k in node.keywords if k.arg is not None}
    if "out" in values:
        checker.fail(errors.AsmOut(values["out"].span))
    numbers, operands, args = _operands(checker, text, values)
    names = {"out": OPERAND} if result is not None else {}
    names.update({name: OPERAND + 1 + index for index, name in enumerate(operands)})
    try:
        inline = read_inline(text, names | numbers, result is not None)
    except AsmError as error:
        reason = error.reason
        if result is None and reason == "there is no operand out":
            reason = "{out} has no type: give it first, as in asm(u64, ...)"
        checker.fail(errors.AsmText(_place(checker, at, error.line, error.column, error.width), reason))
    for index, name in enumerate(operands):
        if OPERAND + 1 + index not in inline.used:
            checker.fail(errors.AsmUnused(values[name].span, name))
    _check_target(checker, inline, at)
    _check_registers(checker, inline, len(operands) + (result is not None), span)
    written = {name: str(number - OPERAND) for name, number in names.items()}

    def numbered(found: re.Match[str]) -> str:
        name, form = found[1], found[2] or ""
        return str(numbers[name]) if form == ":i" else f"{{{written[name]}{form}}}"

    made = tree.Asm(NONE if result is None else U64, span, _OPERAND.sub(numbered, text), tuple(args))
    if result is None:
        return made
    if isinstance(result, BoolType):
        return tree.Compare(BOOL, span, "!=", made, tree.Const(U64, span, 0))
    return convert(checker, made, result, "the result of asm()")


def _signature(checker: Checker, node: ast.Call, span: Span) -> tuple[Type | None, str, Any]:
    """The result's type, if there is one, the text, and its syntax node."""
    takes = "takes a type (where it has a result), the instructions as one literal text, and operands by name"
    example = 'asm(u64, "{out} = {a}; {out} += 5", a=value)'
    given = [checker.expr(argument) for argument in node.args]
    if not 1 <= len(given) <= 2:
        checker.fail(errors.CallArguments(span, "asm()", takes, example))
    text = given[-1]
    if not isinstance(text, Known) or not isinstance(text.value, str):
        checker.fail(errors.CallArguments(span, "asm()", takes, example))
    if len(given) == 1:
        return None, text.value, node.args[0]
    kind = checker.schema(given[0])
    if isinstance(given[0], Known) and given[0].value is bool:
        kind = BOOL
    if not isinstance(kind, (IntType, EnumType, BoolType)):
        what = describe(given[0].value) if isinstance(given[0], Known) else kinds.spell(type_of(given[0]))
        checker.fail(errors.WrongType(given[0].span, what, "the type of a number", "the result of asm()"))
    return kinds.host(kind), text.value, node.args[1]


def _operands(
    checker: Checker, text: str, values: dict[str, Value]
) -> tuple[dict[str, int], list[str], list[tree.Expr | MapSpec]]:
    """Numbers known now, by name; the names of the other operands, and what they are."""
    known = {found[1] for found in _OPERAND.finditer(text) if found[2] == ":i"}
    elsewhere = {found[1] for found in _OPERAND.finditer(text) if found[2] != ":i"}
    numbers: dict[str, int] = {}
    names: list[str] = []
    args: list[tree.Expr | MapSpec] = []
    for name, value in values.items():
        schema = checker.schema(value)
        if name in known:
            if isinstance(schema, HelperSpec):
                from pybpf.compiler.frontend.helpers import check_allowed

                check_allowed(checker, schema, value.span)
                numbers[name] = schema.id
            elif isinstance(value, Known) and isinstance(value.value, int):
                numbers[name] = int(value.value)
            else:
                checker.fail(errors.AsmNotKnown(value.span, name))
            if name not in elsewhere:
                continue
        names.append(name)
        if isinstance(schema, MapSpec):
            args.append(schema)
            continue
        expr = materialize(checker, value)
        if isinstance(expr.type, OptionalType):
            maybe_none(checker, expr)
        if isinstance(expr.type, NoneType) or not (kinds.is_int(expr.type) or isinstance(expr.type, PtrType)):
            checker.fail(errors.WrongType(expr.span, kinds.spell(expr.type), "a number or an object", f"`{name}`"))
        args.append(expr)
    return numbers, names, args


def _check_target(checker: Checker, inline: InlineAsm, at: Any) -> None:
    """Every instruction must be one of the ISA level and of the kernels that are compiled for."""
    target = checker.session.target
    for insn, place in zip(inline.insns, inline.places):
        lowest, since = level(insn), needs_kernel(insn)
        if lowest > target.cpu:
            span = _place(checker, at, *place)
            checker.fail(errors.AsmLevel(span, checker.text(span), lowest, target.cpu))
        if since > target.kernel and since != LEVEL_SINCE[lowest]:  # came later than the level
            span = _place(checker, at, *place)
            checker.check_release(f"`{checker.text(span)}`", f"{since[0]}.{since[1]}", span)


def _check_registers(checker: Checker, inline: InlineAsm, operands: int, span: Span) -> None:
    if operands + len(inline.named) > _REGISTERS:
        checker.fail(errors.AsmRegisters(span, operands, len(inline.named)))


def _place(checker: Checker, node: Any, line: int, column: int, width: int) -> Span:
    """A place inside of a text: of the literal, or the name that stands for it."""
    from pybpf.compiler.schema.span import Span

    whole = checker.span(node)
    if not line or not column or not isinstance(node, ast.Constant):
        return whole
    characters = _characters(whole)
    lines = str(node.value).split("\n")
    index = sum([len(before) + 1 for before in lines[: line - 1]]) + column - 1
    if index >= len(characters):
        index = len(characters) - 1
    last = min(index + max(width, 1), len(characters)) - 1
    if index < 0:
        return whole
    row, start = characters[index]
    end = characters[last][1] + 1 if characters[last][0] == row else start + 1
    return Span(whole.source, row, start, row, end)


def _characters(whole: Span) -> list[tuple[int, int]]:
    """Where each character of a literal's value stands in the source: line and column."""
    import io
    import tokenize

    source = whole.source
    lines = [source.line(n) for n in range(whole.line, whole.end_line + 1)]
    lines[-1] = lines[-1][: whole.end_col] if len(lines) > 1 else lines[-1][whole.col : whole.end_col]
    if len(lines) > 1:
        lines[0] = lines[0][whole.col :]
    found: list[tuple[int, int]] = []
    text = "(" + "\n".join(lines) + "\n)\n"  # adjacent literals may stand on several lines
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.STRING:
            found += _in_token(token.string, *token.start)
    moved = []
    for row, col in found:
        moved.append((whole.line + row - 1, col + (whole.col - 1 if row == 1 else 0)))
    return moved


_ESCAPE = re.compile(r"\\(\n|x..|u....|U........|N\{[^}]*\}|[0-7]{1,3}|.)", re.DOTALL)


def _in_token(token: str, row: int, col: int) -> list[tuple[int, int]]:
    """The same for one literal that starts at a place of the text."""
    prefix = len(token) - len(token.lstrip("rRuUbB"))
    raw = "r" in token[:prefix].lower()
    quotes = 3 if token[prefix : prefix + 3] in ('"""', "'" * 3) else 1
    found = []
    at, end = prefix + quotes, len(token) - quotes
    col += at
    while at < end:
        escape = _ESCAPE.match(token, at) if not raw and token[at] == "\\" else None
        length = len(escape[0]) if escape is not None else 1
        if escape is None or escape[1] != "\n":
            found.append((row, col))
        if "\n" in token[at : at + length]:
            row, col = row + 1, 0
        else:
            col += length
        at += length
    return found
