"""From a Python exception to the place in the user's own text that led to it. In: an exception. Out: a diagnostic.

For what goes wrong while the user's module or cell runs, before the compiler sees it: the traceback is full of our
frames and other libraries', of which the user needs none.
"""

from __future__ import annotations

from pybpf.compiler.diagnostics.reading import BadDeclaration, RaisedOnImport
from pybpf.compiler.schema.errors import DeclarationError
from pybpf.compiler.schema.span import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic

__all__ = ["blame", "declared_at", "decorated", "user_spans"]


def user_spans(error: BaseException, users: Callable[[str, str], bool]) -> tuple[list[Span], str]:
    """Places of the user's frames, outermost first, and the module that raised it below them ("": their own code).

    `users(filename, module name)` tells whose a frame is.
    """
    from pybpf.compiler.frontend.source import Sources

    sources = Sources()
    spans: list[Span] = []
    below = ""
    step = error.__traceback__
    while step is not None:
        filename, module = step.tb_frame.f_code.co_filename, step.tb_frame.f_globals.get("__name__", "")
        if users(filename, module):
            parsed = sources.module(filename)
            name = filename.replace("\\", "/").rpartition("/")[2]
            spans.append(_span(step, parsed.source if parsed else Source(name, filename, [])))
            below = ""
        elif not filename.startswith("<frozen"):
            below = module
        step = step.tb_next
    return spans, below


def blame(error: BaseException, users: Callable[[str, str], bool], otherwise: Span) -> Diagnostic:
    """The diagnostic for an exception that importing the user's file raised; `otherwise`: where no frame is theirs."""
    spans, below = user_spans(error, users)
    spans = spans or [otherwise]
    if isinstance(error, DeclarationError):
        return BadDeclaration(spans[-1], error.title, error.label, error.help)
    text = type(error).__name__
    if isinstance(error, SystemExit):
        text = f"SystemExit({error.code!r})"
    elif str(error):
        text = f"{text}: {error}"
    return RaisedOnImport(spans[-1], text.split("\n")[0], tuple(spans[:-1]), below, isinstance(error, SystemExit))


def declared_at(error: DeclarationError) -> Diagnostic | None:
    """The diagnostic for a mistake in a declaration, at the innermost line that is not pybpf's; None: there is none."""
    spans, _ = user_spans(error, lambda filename, module: module != "pybpf" and not module.startswith("pybpf."))
    return BadDeclaration(spans[-1], error.title, error.label, error.help) if spans else None


def decorated(error: DeclarationError, function: Any) -> Diagnostic:
    """The diagnostic for a mistake in a hook or in a program's parameters: at the decorator."""
    from pybpf.compiler.frontend.source import Sources

    code, sources = function.__code__, Sources()
    found = sources.function(code)
    if found is None:
        parsed = sources.module(code.co_filename)
        name = code.co_filename.replace("\\", "/").rpartition("/")[2]
        span = _line(parsed.source if parsed else Source(name, code.co_filename, []), code.co_firstlineno)
    else:
        module, node = found
        span = module.span(node.decorator_list[0] if node.decorator_list else node)
    return BadDeclaration(span, error.title, error.label, error.help)


def _span(step: TracebackType, source: Source) -> Span:
    """The failing expression; before Python 3.11, which keeps no columns, its line."""
    code = step.tb_frame.f_code
    if hasattr(code, "co_positions"):
        line, end_line, col, end_col = list(code.co_positions())[step.tb_lasti // 2]
        if line is not None and end_line is not None and col is not None and end_col is not None:
            return Span(source, line, _characters(source, line, col), end_line, _characters(source, end_line, end_col))
    return _line(source, step.tb_lineno)


def _line(source: Source, line: int) -> Span:
    text = source.line(line)
    return Span(source, line, len(text) - len(text.lstrip()), line, len(text.rstrip()))


def _characters(source: Source, line: int, column: int) -> int:
    """A column in characters from one in bytes of UTF-8."""
    return len(source.line(line).encode()[:column].decode(errors="replace"))
