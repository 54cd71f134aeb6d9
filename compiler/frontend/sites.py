"""Where a declaration stands in the user's text. In: the site that a DeclarationError names. Out: a Span.

A site is a file's name, the 1-based line of a statement, and the part of it that is meant: the annotation of a class's
field, a parameter or the result of a function. Declarations note their site when they run, since only their use shows
that something is wrong with them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

    from pybpf.compiler.frontend.source import Module, Sources
    from pybpf.compiler.schema.span import Span
else:
    import _ast as ast

__all__ = ["site_span"]


def site_span(sources: Sources, site: tuple[str, int, str] | None) -> Span | None:
    """The region of a site; None where the text can't be had, or has no such statement (any more)."""
    if site is None:
        return None
    filename, line, part = site
    module = sources.module(filename)
    node = _statement(module.body, line) if module is not None else None
    if module is None or node is None:
        return None
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return _of_function(module, node, part)
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name) and inner.target.id == part:
                return module.span(inner)
        return module.head(node)
    value = getattr(node, "value", None)
    return module.span(value if isinstance(value, ast.expr) else node)


def _statement(body: list[Any], line: int) -> Any:
    """The innermost statement that holds a line; a definition for the lines of its head only."""
    for node in body:
        if isinstance(node, ast.match_case):  # has no lines of its own
            found = _statement(node.body, line)
            if found is not None:
                return found
            continue
        first = min([node.lineno, *[each.lineno for each in getattr(node, "decorator_list", ())]])
        if not first <= line <= node.end_lineno:
            continue
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            found = _statement(inner, line) if isinstance(inner, list) else None
            if found is not None:
                return found
        return node
    return None


def _of_function(module: Module, node: Any, part: str) -> Span:
    if part == "return" and node.returns is not None:
        return module.span(node.returns)
    for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        if each.arg == part:
            return module.span(each)
    return module.head(node)
