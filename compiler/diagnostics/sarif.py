"""Diagnostics as a SARIF log (Static Analysis Results Interchange Format 2.1.0, OASIS), for editors and code scanning.

In: diagnostics. Out: a dict for json.dumps(). A code of the catalogue is a rule, its page the rule's help; a secondary
label is a related location; a help with an edit is a fix. Regions count characters (`unicodeCodePoints`).
"""

from __future__ import annotations

from pybpf.compiler.diagnostics.base import Help, Label, Note
from pybpf.compiler.diagnostics.catalogue import explanation
from pybpf.compiler.diagnostics.records import below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema.span import Span

__all__ = ["sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(diagnostics: Sequence[Diagnostic], version: str, root: str = "") -> dict[str, Any]:
    """The log of one run of pybpf `version`. Files below the directory `root` have URIs relative to it."""
    kinds = {kind.code: kind for kind in sorted({each.rule() for each in diagnostics}, key=lambda kind: kind.code)}
    order = {code: index for index, code in enumerate(kinds)}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "pybpf",
                        "semanticVersion": version,
                        "rules": [_rule(kind) for kind in kinds.values()],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, order[each.code], root) for each in diagnostics],
            }
        ],
    }


def _rule(kind: type[Diagnostic]) -> dict[str, Any]:
    page = explanation(kind)
    return {
        "id": kind.code,
        "name": kind.__name__,
        "shortDescription": {"text": page.split("\n\n")[0].replace("\n", " ")},
        "help": {"text": page},
        "defaultConfiguration": {"level": kind.severity},
    }


def _result(diagnostic: Diagnostic, rule: int, root: str) -> dict[str, Any]:
    title, label = diagnostic.texts()
    main = _location(diagnostic.span, root)
    if label:
        main["message"] = {"text": label}
    text = [title]
    related: list[dict[str, Any]] = []
    fixes: list[dict[str, Any]] = []
    for item in diagnostic.more():
        if isinstance(item, Label):
            where = _location(item.span, root)
            related.append({"id": len(related), "message": {"text": item.text}, **where})
        elif isinstance(item, Note):
            text.append(f"note: {item.text}")
        else:
            text.append("\n".join([f"help: {item.text}", *[f"    {line}" for line in item.code]]))
            fixes += _fix(item, root)
    made = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": "\n".join(text)},
        "locations": [main],
    }
    if related:
        made["relatedLocations"] = related
    if fixes:
        made["fixes"] = fixes
    return made


def _fix(help: Help, root: str) -> list[dict[str, Any]]:
    if help.edit is None:
        return []
    replacement = {"deletedRegion": _region(help.edit.span), "insertedContent": {"text": help.edit.text}}
    artifact = {"uri": _uri(help.edit.span, root)}
    return [
        {
            "description": {"text": help.text},
            "artifactChanges": [{"artifactLocation": artifact, "replacements": [replacement]}],
        }
    ]


def _location(span: Span, root: str) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(span, root)}, "region": _region(span)}}


def _region(span: Span) -> dict[str, int]:
    """Lines and columns are 1-based, the end column is that after the last character."""
    return {
        "startLine": span.line,
        "startColumn": span.col + 1,
        "endLine": span.end_line,
        "endColumn": span.end_col + 1,
    }


def _uri(span: Span, root: str) -> str:
    from urllib.parse import quote

    path = below(span.source.path or span.source.name, root)
    absolute = path.startswith("/") or path[1:3] == ":/"
    return ("file://" + ("" if path.startswith("/") else "/") if absolute else "") + quote(
        path, safe="/:" if absolute else "/"
    )
