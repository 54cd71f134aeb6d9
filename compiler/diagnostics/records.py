"""Diagnostics as plain dicts of strings and numbers, for editors and scripts (`--format json`).

Lines and columns are 1-based and count characters; the end column is exclusive. The keys of a record, which stay what
they are: code, severity, message, label, file (its name), path, line, column, end_line, end_column; related (a list of
places, each with a message), notes (texts), help (message, the lines of code to write, and an edit that does it: a
place and the text for it, or null).
"""

from __future__ import annotations

from pybpf.compiler.diagnostics.base import Help, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema.span import Span

__all__ = ["below", "records"]


def records(diagnostics: Iterable[Diagnostic], root: str = "") -> list[dict[str, Any]]:
    """A record of each diagnostic, in order. Paths of files below the directory `root` are relative to it."""
    return [_record(diagnostic, root) for diagnostic in diagnostics]


def below(path: str, root: str) -> str:
    """The path of a source as seen from `root`, with slashes; as it is where it lies elsewhere."""
    path = path.replace("\\", "/")
    if not root:
        return path
    directory = root.replace("\\", "/").rstrip("/")
    return path.removeprefix(f"{directory}/")


def _record(diagnostic: Diagnostic, root: str) -> dict[str, Any]:
    message, label = diagnostic.texts()
    related: list[dict[str, Any]] = []
    notes: list[str] = []
    help: list[dict[str, Any]] = []
    for item in diagnostic.more():
        if isinstance(item, Label):
            related.append({"message": item.text, **_place(item.span, root)})
        elif isinstance(item, Help):
            edit = {"text": item.edit.text, **_place(item.edit.span, root)} if item.edit else None
            help.append({"message": item.text, "code": list(item.code), "edit": edit})
        else:
            notes.append(item.text)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": message,
        "label": label,
        **_place(diagnostic.span, root),
        "related": related,
        "notes": notes,
        "help": help,
    }


def _place(span: Span, root: str) -> dict[str, Any]:
    return {
        "file": span.source.name,
        "path": below(span.source.path, root),
        "line": span.line,
        "column": span.col + 1,
        "end_line": span.end_line,
        "end_column": span.end_col + 1,
    }
