"""What to write in printk instead: f-strings for diagnostics. Imported only where there is an error."""

from __future__ import annotations

import re

from pybpf.compiler.frontend import kinds
from pybpf.compiler.schema.types import ArrayType, BytesType, StructType, TextType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.frontend.tree import Expr
    from pybpf.compiler.schema.types import Type
else:
    import _ast as ast

__all__ = ["as_fstring", "described", "of_call", "of_fields", "of_operator"]

_OTHERWISE = 'printk(f"n is {n}")'
_CONVERSION = re.compile(r"%[-+ #0]*\d*(?:hh|h|ll|l|z)?([diuxXcsp])")


def of_call(checker: Checker, node: ast.Call) -> str:
    """printk of one f-string for a call with several arguments, as printf and print() take them."""
    texts = [checker.text(checker.span(argument)) for argument in node.args]
    first = node.args[0] if node.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return _OTHERWISE
    if len(texts) == 1:
        return f"printk({texts[0]})"
    if "%" in first.value:
        return as_fstring(first.value, texts[1:]) or _OTHERWISE
    return _quoted(" ".join([_plain(first.value), *[f"{{{text}}}" for text in texts[1:]]])) or _OTHERWISE


def as_fstring(template: str, arguments: list[str]) -> str:
    """printk(f"...") for a printf format and the texts of its arguments; "" where they don't fit each other."""
    parts = _CONVERSION.split(template)
    if len(parts[1::2]) != len(arguments) or any("%" in part.replace("%%", "") for part in parts[::2]):
        return ""
    made = _plain(parts[0])
    for argument, letter, literal in zip(arguments, parts[1::2], parts[2::2]):
        spec = f":{letter}" if letter in "xX" else ":x" if letter == "p" else ""
        made += f"{{{argument}{spec}}}{_plain(literal)}"
    return _quoted(made)


def _plain(literal: str) -> str:
    return literal.rstrip("\n").replace("%%", "%").replace("{", "{{").replace("}", "}}")


def _quoted(inside: str) -> str:
    return "" if '"' in inside or "\\" in inside or "\n" in inside else f'printk(f"{inside}")'


def of_operator(text: str) -> str:
    """printk(f"...") for `"a %d" % x` and `"a" + x`, the text of an expression; "" where it is something else."""
    from ast import parse, unparse

    try:
        node: Any = parse(text.strip(), mode="eval").body
    except SyntaxError:  # a statement: `text += x`
        return ""
    if not isinstance(node, ast.BinOp):
        return ""
    if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
        values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        return as_fstring(node.left.value, [unparse(value) for value in values])
    parts: list[str] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts.append(_in_fstring(node.right, unparse))
        node = node.left
    return _quoted("".join([_in_fstring(node, unparse), *reversed(parts)])) if parts else ""


def _in_fstring(node: Any, unparse: Callable[[Any], str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _plain(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str" and len(node.args) == 1:
        node = node.args[0]
    return f"{{{unparse(node)}}}"


def described(expr: Expr) -> str:
    """What a diagnostic calls a value that can't be printed."""
    spelled = kinds.spell(expr.type)
    if spelled.startswith(("a ", "an ", "the ")):
        return spelled
    return f"{'an' if spelled[:1] in 'aeiouAEIOU' else 'a'} {spelled}"


def of_fields(text: str, kind: Type | None) -> str:
    """A printk of what is in an object that `text` names."""
    made: list[str] = []
    if isinstance(kind, StructType):
        made = [f"{text}.{f.name}" for f in kind.fields if kinds.is_int(f.type) or isinstance(f.type, TextType)]
    elif isinstance(kind, (ArrayType, BytesType)):
        made = [f"{text}[{i}]" for i in range(kind.length if isinstance(kind, ArrayType) else kind.size)]
    more = " ..." if len(made) > 4 else ""
    return _quoted(" ".join([f"{{{item}}}" for item in made[:4]]) + more) if made else ""
