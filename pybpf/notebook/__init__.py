"""Programs and objects in IPython and Jupyter: what they look like when a cell's value is one.

Nothing here needs IPython to be installed. Source and diagnostics of cells come from `pybpf.compiler.frontend.source`,
which shows them as `In[7]`; errors show themselves through their `_render_traceback_`.
"""

from __future__ import annotations

import html

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pybpf.listing import Listing

__all__ = ["listing_html", "object_html", "program_html", "register"]

_TABLE = "border-collapse: collapse; margin: 0; width: auto"
_CELL = "text-align: left; vertical-align: top; padding: 1px 12px 1px 0; white-space: pre; font-family: monospace"
_RULE = "border-top: 1px solid rgba(128, 128, 128, 0.35)"
_DIM = "opacity: 0.55"


def register(kind: type) -> None:
    """Let the running IPython, if there is one, show objects of the class by `object_html`."""
    import sys

    interactive = sys.modules.get("IPython.core.getipython")
    shell = interactive.get_ipython() if interactive is not None else None
    if shell is not None:
        shell.display_formatter.formatters["text/html"].for_type(kind, object_html)


def program_html(program: Any) -> str:
    """A Program as HTML: its source beside its bytecode, or what is wrong with it."""
    from pybpf.building import build
    from pybpf.compiler.diagnostics.base import CompileError
    from pybpf.compiler.schema.errors import DeclarationError

    try:
        return object_html(build(program))
    except (CompileError, DeclarationError) as error:
        return f"<pre>{html.escape(str(error).strip())}</pre>"


def object_html(made: Any) -> str:
    """A compiled object as HTML: its maps, and the source of its functions beside their bytecode."""
    from pybpf.listing import listings

    rows = []
    for name, spec in made.maps.items():
        holds = " → ".join([str(kind) for kind in (spec.key, spec.value) if kind is not None])
        rows.append((name, spec.kind.name.lower(), holds, f"{spec.max_entries:,}"))
    parts = [_table(("map", "kind", "holds", "max entries"), rows)] if rows else []
    return "".join([*parts, *[listing_html(listing) for listing in listings(made.elf)]])


def listing_html(listing: Listing) -> str:
    """One function as HTML: a row for each run of instructions from the same source line."""
    runs: list[tuple[str, str, list[str]]] = []
    before: tuple[str, int] | None = None
    for row in listing.rows:
        place = (row.file, row.line)
        if place != before:
            runs.append((str(row.line or ""), row.source, []))
            before = place
        runs[-1][2].append(f"{row.slot:4}: {row.text}")
    count = len(listing.rows)
    files = ", ".join(sorted({row.file for row in listing.rows if row.file}))
    about = ", ".join(filter(None, [listing.section, f"{count} instruction{'s' * (count != 1)}", files]))
    heading = f"<b>{html.escape(listing.name)}</b> <span style='{_DIM}'>{html.escape(about)}</span>"
    return f"<div>{heading}</div>" + _table((), [(line, text, "\n".join(code)) for line, text, code in runs])


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    out = [f"<table style='{_TABLE}'>"]
    if heads:
        cells = [f"<th style='{_CELL}; {_DIM}'>{html.escape(head)}</th>" for head in heads]
        out.append(f"<tr>{''.join(cells)}</tr>")
    for row in rows:
        cells = [f"<td style='{_CELL}'>{html.escape(cell)}</td>" for cell in row]
        out.append(f"<tr style='{_RULE}; background: none'>{''.join(cells)}</tr>")
    return "".join([*out, "</table>"])
