"""What random programs are made of: expressions and statements, from which parts can be taken.

A node holds the template of its source text; `{0}`, `{1}` stand for its operands.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Expr", "Program", "Stmt", "smaller"]


class Expr:
    """`type` is an int type's name, "bool", "lit" for an int literal (with its `value`), or what else it is: "Pair"."""

    __slots__ = ("kids", "src", "type", "value")

    def __init__(self, type: str, src: str, kids: tuple[Expr, ...] = (), value: int = 0) -> None:
        self.type, self.src, self.kids, self.value = type, src, kids, value

    def text(self) -> str:
        return self.src.format(*[kid.text() for kid in self.kids]) if self.kids else self.src

    def inner(self) -> Iterator[Expr]:
        """All operands, theirs too."""
        for kid in self.kids:
            yield kid
            yield from kid.inner()


class Stmt:
    """One or more heads, each with a block or without one (`body` None): `if`, `elif`, `else`.

    `keep` marks what goes only with everything else.
    """

    __slots__ = ("keep", "parts")

    def __init__(self, *parts: tuple[Expr, list[Stmt] | None], keep: bool = False) -> None:
        self.parts, self.keep = list(parts), keep

    def lines(self, depth: int) -> Iterator[str]:
        for head, body in self.parts:
            for line in head.text().split("\n"):
                if line:
                    yield "    " * depth + line
            if body is not None:
                empty = True
                for stmt in body:
                    for line in stmt.lines(depth + 1):
                        yield line
                        empty = False
                if empty:
                    yield "    " * (depth + 1) + "pass"


class Program:
    """A module: fixed declarations, then functions. Those called `f0`, `f1` are programs, and run in this order."""

    def __init__(self, head: str, functions: list[Stmt]) -> None:
        self.head = head
        self.functions = functions

    def body(self) -> str:
        """What differs between programs."""
        lines = [line for function in self.functions for line in ["", "", *function.lines(0)]]
        return "\n".join(lines) + "\n"

    def text(self) -> str:
        return self.head + self.body()

    def names(self) -> list[str]:
        """The programs."""
        return re.findall(r"^def (f\d+)\(", self.body(), re.MULTILINE)


def smaller(program: Program) -> Iterator[Callable[[], None]]:
    """Take one thing out of the program, the largest first. What is given puts it back; who wants it so stops there."""
    blocks = [body for function in program.functions for body in _blocks(function)]
    for body in [program.functions, *blocks]:
        yield from _without(body)
        yield from _flatter(body)
    for body in [program.functions, *blocks]:
        for stmt in list(body):
            for head, _ in stmt.parts:
                yield from _simpler(head)


def _without(body: list[Stmt]) -> Iterator[Callable[[], None]]:
    """Statements taken away, many at once to begin with."""
    size = len(body)
    while size:
        for start in range(len(body) - size, -1, -size):
            taken = body[start : start + size]
            if taken and not any(stmt.keep for stmt in taken):
                before = body[:]
                del body[start : start + size]
                yield partial(_restore, body, before)
        size //= 2


def _flatter(body: list[Stmt]) -> Iterator[Callable[[], None]]:
    """A statement's block in its place; a statement without its `else`."""
    for i, stmt in enumerate(body[:]):
        for _, block in stmt.parts if not stmt.keep else ():
            if block is not None:
                before = body[:]
                body[i : i + 1] = block
                yield partial(_restore, body, before)
        for j in range(len(stmt.parts) - 1, 0, -1):
            part = stmt.parts.pop(j)
            yield partial(stmt.parts.insert, j, part)


def _restore(body: list[Stmt], before: list[Stmt]) -> None:
    body[:] = before


def _simpler(expr: Expr) -> Iterator[Callable[[], None]]:
    """An operand replaced by a constant of its type, or by one of its own operands that has the same type."""
    for i, kid in enumerate(expr.kids):
        for other in _replacements(kid):
            before = expr.kids
            expr.kids = (*before[:i], other, *before[i + 1 :])
            yield partial(setattr, expr, "kids", before)
        yield from _simpler(kid)


def _replacements(expr: Expr) -> list[Expr]:
    if expr.type in ("", "lit", "text"):
        return []
    found = []
    if expr.type[0] in "ui" and expr.type[1:].isdigit():
        if expr.kids or expr.src.isidentifier():
            found = [Expr(expr.type, f"{expr.type}({n})") for n in (0, 1)]
    elif expr.type == "bool" and expr.kids:
        found = [Expr("bool", "limit > 0"), Expr("bool", "limit < 0")]
    return found + [kid for kid in expr.inner() if kid.type == expr.type and kid is not expr]


def _blocks(stmt: Stmt) -> Iterator[list[Stmt]]:
    for _, body in stmt.parts:
        if body is not None:
            yield body
            for inner in body:
                yield from _blocks(inner)
