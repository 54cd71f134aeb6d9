"""Diagnostics as plain dicts of strings and numbers, for editors and scripts (`--format json`).

Lines and columns are 1-based and count characters; the end column is exclusive.
"""

from __future__ import annotations

from pybpf.compiler.diagnostics.base import Help, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema.span import Span

__all__ = ["records"]


def records(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """A record of each diagnostic, in order."""
    return [_record(diagnostic) for diagnostic in diagnostics]


def _record(diagnostic: Diagnostic) -> dict[str, Any]:
    message, label = diagnostic.texts()
    related: list[dict[str, Any]] = []
    notes: list[str] = []
    help: list[dict[str, Any]] = []
    for item in diagnostic.more():
        if isinstance(item, Label):
            related.append({"message": item.text, **_place(item.span)})
        elif isinstance(item, Help):
            help.append({"message": item.text, "code": list(item.code)})
        else:
            notes.append(item.text)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": message,
        "label": label,
        **_place(diagnostic.span),
        "related": related,
        "notes": notes,
        "help": help,
    }


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.source.name,
        "path": span.source.path,
        "line": span.line,
        "column": span.col + 1,
        "end_line": span.end_line,
        "end_column": span.end_col + 1,
    }
