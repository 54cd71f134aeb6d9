"""Text as a terminal shows it: widths of characters, colours, a line that is drawn piece by piece."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["Ink", "Paint", "cells", "shown", "wants_color"]

_TAB = 4  # columns that a tab takes; not a tab stop, so that a column does not depend on what stands to its left

# ANSI "select graphic rendition" numbers
_STYLES = {
    "error": "1;31",
    "warning": "1;33",
    "strong": "1",
    "gutter": "1;34",
    "secondary": "1;34",
    "help": "1;36",
    "note": "1;32",
}


def wants_color(stream: TextIO) -> bool:
    """True if `stream` is a terminal that shows colours and nobody asked for none (https://no-color.org)."""
    import os

    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _width(char: str) -> int:
    """Columns of one character: 0 combining, 1, or 2 for East Asian wide and fullwidth ones."""
    if " " <= char <= "~":
        return 1
    if char == "\t":
        return _TAB
    if char == "\u200d" or "\ufe00" <= char <= "\ufe0f":  # joiner, variation selectors
        return 0
    if not char.isprintable():
        return len(_visible(char))
    import unicodedata

    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _visible(char: str) -> str:
    """What is shown for a character that a terminal would act on or hide."""
    if char == "\t":
        return " " * _TAB
    if char.isprintable() or char == "\u200d" or "\ufe00" <= char <= "\ufe0f":
        return char
    return f"<U+{ord(char):04X}>"


def cells(text: str) -> int:
    """Columns that `shown(text)` takes on the screen."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum([_width(char) for char in text])


def shown(text: str) -> str:
    """`text` with tabs as spaces and control characters spelled out, so that it can't move the cursor."""
    if text.isprintable():
        return text
    return "".join([_visible(char) for char in text])


class Paint:
    """Colours text, or leaves it as it is."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, style: str) -> str:
        if not self.on or not style or not text:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


class Ink:
    """One row of the screen; pieces are put at columns and may overwrite each other."""

    def __init__(self) -> None:
        self._cells: list[tuple[str, str]] = []  # character(s) that end in this column, and their style

    def put(self, column: int, text: str, style: str) -> None:
        row = self._cells
        for char in text:
            wide = _width(char)
            if wide == 0 and 0 < column <= len(row):  # joins the character before it
                row[column - 1] = (row[column - 1][0] + char, row[column - 1][1])
                continue
            row.extend([(" ", "")] * (column + max(wide, 1) - len(row)))
            row[column] = (char, style)
            for extra in range(column + 1, column + wide):
                row[extra] = ("", style)
            column += max(wide, 1)

    def render(self, paint: Paint) -> str:
        """The row as text, without spaces at its end."""
        out: list[str] = []
        run, style = "", ""
        for text, own in self._cells:
            if own != style and text.strip():
                out.append(paint(run, style))
                run, style = "", own
            run += text
        out.append(paint(run.rstrip(), style))
        return "".join(out).rstrip() if not paint.on else "".join(out)
