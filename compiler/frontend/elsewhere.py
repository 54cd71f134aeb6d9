"""Diagnostics of inlined functions. Those of library code are shown at the user's call, which is what the user can
change.
"""

from __future__ import annotations

from pybpf.compiler.diagnostics.base import Diagnostic, Help, Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pybpf.compiler.diagnostics.base import Label
    from pybpf.compiler.schema.span import Span

__all__ = ["Elsewhere", "in_library", "is_pythons", "relocate"]


def in_library(function: Any) -> bool:
    """Whether a function is ours rather than the user's."""
    return str(getattr(function, "__module__", "")).partition(".")[0] == "pybpf"


def is_pythons(function: Any) -> bool:
    """Whether a function belongs to Python's own library, which is not written in the language."""
    import os

    filename = function.__code__.co_filename
    home = os.path.dirname(os.__file__) + os.sep
    return filename.startswith("<frozen ") or (filename.startswith(home) and "site-packages" not in filename)


class Elsewhere(Diagnostic):
    """A diagnostic of an inlined function, seen from a call of it."""

    inner: Diagnostic
    function: str
    library: bool

    @property
    def code(self) -> str:  # type: ignore[override]
        return self.inner.code

    @property
    def severity(self) -> str:  # type: ignore[override]
        return self.inner.severity

    def rule(self) -> type[Diagnostic]:
        return self.inner.rule()

    def texts(self) -> tuple[str, str]:
        title, label = self.inner.texts()
        return title, f"in this call of {self.function}()" if self.library else label

    def more(self) -> Iterator[Label | Note | Help]:
        for item in self.inner.more():
            if not self.library:
                yield item
            elif isinstance(item, Help):  # what to change is in the library
                yield Help(item.text, item.code)
            elif isinstance(item, Note):
                yield item
        if self.library:
            where = self.inner.span
            file = "/".join(where.source.path.replace("\\", "/").split("/")[-2:]) or where.source.name
            text = where.source.line(where.line).partition("  # ")[0].strip()
            yield Note(f"{file}:{where.line}:{where.col + 1}: {text}")

    def __str__(self) -> str:
        return f"{self.severity}[{self.code}]: {self.texts()[0]} ({self.span})"


def relocate(diagnostics: list[Diagnostic], function: Any, call: Span) -> list[Diagnostic]:
    """The diagnostics of an inlined function as its caller reports them. A library's warnings are no concern of the
    user.
    """
    if not in_library(function):
        return diagnostics
    return [Elsewhere(call, d, function.__name__, True) for d in diagnostics if d.severity == "error"]
