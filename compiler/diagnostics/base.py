"""What a diagnostic is made of. The catalogue is the modules beside this one, a theme each; render.py shows them.

A diagnostic is a Record class with a code and two sentences as templates over its fields:

    class MaybeNone(Diagnostic):
        '''What `pybpf explain E0203` prints: what it means, why, an example that fails and one that works.'''

        name: str
        origin: Span | None = None

        code = "E0203"
        title = "`{name}` may be None here"
        label = "used without a check"

        def more(self) -> Iterator[Label | Note | Help]:
            if self.origin:
                yield Label(self.origin, "this lookup can miss")
            yield Help("return early when it is None:", (f"if {self.name} is None:", "    return"))

The frontend collects diagnostics in a `Report`, goes on where it can, and raises `CompileError` with all of them.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import ClassVar

    from pybpf.compiler.schema.span import Span

__all__ = ["CompileError", "Diagnostic", "Edit", "Help", "Label", "Note", "Report", "misspelt"]


class Label(Record):
    """A secondary region of the source, underlined with dashes, and what it has to do with the error."""

    span: Span
    text: str


class Note(Record):
    """A fact that helps to understand: what the kernel would say, what the rule is."""

    text: str


class Edit(Record):
    """A change of the source that a tool can make: `text` in the place of `span`."""

    span: Span
    text: str


class Help(Record):
    """A way out; `code` are the lines to write, as they would stand in the program, `edit` the change that does it."""

    text: str
    code: tuple[str, ...] = ()
    edit: Edit | None = None


def misspelt(span: Span, name: str, near: str) -> Help:
    """The help for a name that looks like another; `span` ends with the name, or begins with it."""
    edit = None
    if span.line == span.end_line:
        text = span.source.line(span.line)[span.col : span.end_col]
        at = len(text) - len(name) if text.endswith(name) else 0 if text.startswith(name) else -1
        if at >= 0:
            start = span.col + at
            edit = Edit(type(span)(span.source, span.line, start, span.line, start + len(name)), near)
    return Help(f"did you mean `{near}`?", (), edit)


class Diagnostic(Record, eq=False):
    """Base of all diagnostics. `span` is what the carets underline."""

    span: Span

    code: ClassVar[str] = ""
    severity: ClassVar[str] = "error"  # or "warning"
    title: ClassVar[str] = ""
    label: ClassVar[str] = ""

    def rule(self) -> type[Diagnostic]:
        """The class of the catalogue that this is one of: its page says what the code means."""
        return type(self)

    def more(self) -> Iterator[Label | Note | Help]:
        """Secondary labels, notes and helps, in the order to show them."""
        return iter(())

    def texts(self) -> tuple[str, str]:
        """Title and label with the fields filled in."""
        values = {f: getattr(self, f) for f in type(self)._fields}
        return self.title.format_map(values), self.label.format_map(values)

    def __str__(self) -> str:
        return f"{self.severity}[{self.code}]: {self.texts()[0]} ({self.span})"


class CompileError(Exception):
    """The program was refused; `diagnostics` say where and why. `str()` is the full text that a user sees."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        from pybpf.compiler.diagnostics.render import render_all

        return "\n" + render_all(self.diagnostics)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        from pybpf.compiler.diagnostics.render import render_all

        return render_all(self.diagnostics, color=True).split("\n")


class Report:
    """Collects diagnostics of one compilation, each at most once."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._seen: set[tuple[str, str]] = set()

    def add(self, diagnostic: Diagnostic) -> None:
        key = (diagnostic.code, str(diagnostic.span))
        if key not in self._seen:
            self._seen.add(key)
            self.diagnostics.append(diagnostic)

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)

    def raise_if_failed(self) -> None:
        """Raise CompileError if there is an error; diagnostics are in source order."""
        if self.failed:
            raise CompileError(sorted(self.diagnostics, key=lambda d: (d.span.source.name, d.span.line, d.span.col)))
