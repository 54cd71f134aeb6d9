"""From a Python exception to the place in the user's own text that led to it. In: an exception. Out: a diagnostic.

For what goes wrong while the user's module or cell runs, before the compiler sees it: the traceback is full of our
frames and other libraries', of which the user needs none.
"""

from __future__ import annotations

from pybpf.compiler.diagnostics.reading import BadDeclaration, RaisedOnImport
from pybpf.compiler.diagnostics.suggest import suggestion
from pybpf.compiler.schema.errors import DeclarationError
from pybpf.compiler.schema.span import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.source import Sources

__all__ = ["blame", "declared_at", "decorated", "misdeclared", "user_spans"]


def user_spans(error: BaseException, users: Callable[[str, str], bool]) -> tuple[list[Span], str]:
    """Places of the user's frames, outermost first, and the module that raised it below them ("": their own code).

    `users(filename, module name)` tells whose a frame is. Python's own frames of imports are nobody's, nor are those
    with a local `__tracebackhide__`, as in pytest.
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
        elif not filename.startswith("<frozen") and "__tracebackhide__" not in step.tb_frame.f_code.co_varnames:
            below = module
        step = step.tb_next
    return spans, below


def blame(error: BaseException, users: Callable[[str, str], bool], otherwise: Span) -> Diagnostic:
    """The diagnostic for an exception that importing the user's file raised; `otherwise`: where no frame is theirs."""
    spans, below = user_spans(error, users)
    spans = spans or [otherwise]
    if isinstance(error, DeclarationError):
        return BadDeclaration(_site(error) or spans[-1], error.title, error.label, error.help, error.lines)
    text = type(error).__name__
    if isinstance(error, SystemExit):
        text = f"SystemExit({error.code!r})"
    elif str(error):
        text = f"{text}: {error}"
    text, help, lines = suggestion(error, spans[-1]) or (text.split("\n")[0], "", ())
    callers = tuple([span for span in spans[:-1] if not _holds(span, spans[-1])])  # not the class around a field
    return RaisedOnImport(spans[-1], text, callers, below, isinstance(error, SystemExit), help, lines)


def _holds(outer: Span, inner: Span) -> bool:
    return outer.source is inner.source and outer.line <= inner.line <= outer.end_line and outer != inner


def declared_at(error: DeclarationError) -> Diagnostic | None:
    """The diagnostic for a mistake in a declaration, at the innermost line that is not pybpf's; None: there is none."""
    spans, _ = user_spans(error, lambda filename, module: module != "pybpf" and not module.startswith("pybpf."))
    if not spans:
        return None
    return BadDeclaration(_site(error) or spans[-1], error.title, error.label, error.help, error.lines)


def _site(error: DeclarationError) -> Span | None:
    from pybpf.compiler.frontend.sites import site_span
    from pybpf.compiler.frontend.source import Sources

    return site_span(Sources(), error.site)


def decorated(error: DeclarationError, function: Any) -> Diagnostic:
    """The diagnostic for a mistake in a hook or in a program's parameters: at that part, or at the decorator."""
    from pybpf.compiler.frontend.sites import site_span
    from pybpf.compiler.frontend.source import Sources

    code, sources = function.__code__, Sources()
    span = site_span(sources, error.site)
    found = sources.function(code) if span is None else None
    if span is None and found is None:
        parsed = sources.module(code.co_filename)
        name = code.co_filename.replace("\\", "/").rpartition("/")[2]
        span = _line(parsed.source if parsed else Source(name, code.co_filename, []), code.co_firstlineno)
    elif span is None and found is not None:
        module, node = found
        span = module.span(node.decorator_list[0] if node.decorator_list else node)
    assert span is not None
    return BadDeclaration(span, error.title, error.label, error.help, error.lines)


def misdeclared(error: DeclarationError, use: Span, sources: Sources) -> Diagnostic:
    """The diagnostic for a mistake in a declaration that a program uses: where it is declared, if that is known."""
    from pybpf.compiler.diagnostics.types import Declaration
    from pybpf.compiler.frontend.sites import site_span

    span = site_span(sources, error.site)
    if span is None:
        return Declaration(use, error.title, error.label, error.help, error.lines)
    also = [(site_span(sources, other.site), other.title.partition(": ")[2] or other.title) for other in error.also]
    more = tuple([(place, problem) for place, problem in also if place is not None])
    return Declaration(span, error.title, error.label, error.help, error.lines, use, more)


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
