"""Where a piece of a program stands in its source text."""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

__all__ = ["Source", "Span"]


class Source(Record, eq=False):
    """One source text: a file, or a notebook cell.

    `name` is what diagnostics, line info and BTF show (`firewall.py`, `In[7]`); it never holds a directory of the
    building machine, so that the same text gives the same bytes anywhere. `path` is where it was read (may be "").
    """

    name: str
    path: str
    lines: list[str]

    def line(self, number: int) -> str:
        """Text of the 1-based line, without its newline; empty when there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


class Span(Record):
    """A region of a source text. Lines are 1-based, columns 0-based and counted in characters; the end is exclusive."""

    source: Source
    line: int
    col: int
    end_line: int
    end_col: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.col + 1}"
