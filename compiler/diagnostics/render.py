"""Show diagnostics as text: one frame per source file, carets under the error, dashes under what it has to do with.

In: diagnostics. Out: a string without a final newline. The layout follows rustc's:

    error[E0203]: `rule` may be None here
      --> firewall.py:27:13
       |
    24 |     rule = blocked.get(Prefix(len=32, addr=ip.saddr))
       |            ------------------------------------------ this lookup can miss
    27 |     dropped[rule.id] += 1
       |             ^^^^ used without a check
       |
    help: return early when it is None:
       |     if rule is None:
       |         return XDP.PASS

Columns of a span count characters; columns on the screen are worked out here (tabs, wide and combining characters).
The build path imports this only when there is something to show, and it imports nothing heavy itself.
"""

from __future__ import annotations

from pybpf.compiler.diagnostics.base import Help, Label, Note
from pybpf.compiler.diagnostics.records import below
from pybpf.compiler.diagnostics.screen import Ink, Paint, cells, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema.span import Source, Span

__all__ = ["render", "render_all"]

_CODE_INDENT = "    "  # help code is shown as the body of a function
_LONG_LINE = 160  # characters; of a longer line only a part is shown
_AROUND = 30  # characters shown before and after what is marked in such a line
_LONG_SPAN = 6  # a span of more lines than this is shown by its first two and last lines


def render_all(diagnostics: Sequence[Diagnostic], color: bool = False, root: str = "") -> str:
    """All of them, in the given order, with an empty line between."""
    return "\n\n".join([render(d, color, root) for d in diagnostics])


def render(diagnostic: Diagnostic, color: bool = False, root: str = "") -> str:
    """The full text of one diagnostic. `color` adds ANSI colours and changes nothing else.

    Files below the directory `root` are named by their path from there, others by their name alone.
    """
    paint = Paint(color)
    title, label = diagnostic.texts()
    tone = "warning" if diagnostic.severity == "warning" else "error"
    code = f"[{diagnostic.code}]" if diagnostic.code else ""
    out = [paint(f"{diagnostic.severity}{code}", tone) + paint(f": {title}", "strong")]

    marks = [_Mark(diagnostic.span, label, "^", tone)]
    trailers: list[Note | Help] = []
    for item in diagnostic.more():
        if isinstance(item, Label):
            marks.append(_Mark(item.span, item.text, "-", "secondary"))
        else:
            trailers.append(item)

    sources: list[Source] = []
    for mark in marks:
        if mark.source not in sources:
            sources.append(mark.source)
    width = max([len(str(mark.last)) for mark in marks])
    gutter = " " * width
    framed = False
    for source in sources:
        own = [mark for mark in marks if mark.source is source]
        arrow = "-->" if source is marks[0].source else ":::"
        at = own[0].span
        path = below(source.path, root) if root else ""
        name = path if path and path != source.path else source.name
        out.append(f"{gutter}{paint(arrow, 'gutter')} {name}:{at.line}:{at.col + 1}")
        if any(mark.last <= len(source.lines) for mark in own):
            out.append(f"{gutter} {paint('|', 'gutter')}")
            out += _Frame(source, own, width, paint).rows()
            framed = True
    if framed and trailers:
        out.append(f"{gutter} {paint('|', 'gutter')}")
    for trailer in trailers:
        word = "help" if isinstance(trailer, Help) else "note"
        first, *others = trailer.text.split("\n")
        out.append(f"{paint(word, word)}: {first}")
        out += [f"      {line}".rstrip() for line in others]
        if isinstance(trailer, Help):
            out += [f"{gutter} {paint('|', 'gutter')} {_CODE_INDENT}{shown(line)}".rstrip() for line in trailer.code]
    return "\n".join(out)


class _Mark:
    """A span to underline, cut to the text that there is; `last` is the last line it touches."""

    def __init__(self, span: Span, text: str, char: str, tone: str) -> None:
        self.span = span
        self.source = span.source
        self.text = text
        self.char = char
        self.tone = tone
        self.first, self.col = span.line, span.col
        self.last, self.end = max(span.end_line, span.line), span.end_col
        if self.last > self.first and self.end == 0:  # ends before the first character of a line: not on that line
            self.last -= 1
            self.end = len(self.source.line(self.last))
        self.rail = -1  # column of the rail to the left, for spans of several lines
        # Nothing stands before the span on its first line, so that the rail can start beside it.
        self.leads = not self.source.line(self.first)[: self.col].strip()

    @property
    def multiline(self) -> bool:
        return self.last > self.first


class _Frame:
    """The annotated lines of one source."""

    def __init__(self, source: Source, marks: list[_Mark], width: int, paint: Paint) -> None:
        self.source = source
        self.marks = [mark for mark in marks if mark.last <= len(source.lines)]
        self.width = width
        self.paint = paint
        self.rails = _give_rails([mark for mark in self.marks if mark.multiline])
        self.trimmed = {line: self._trim(line) for line in self._lines() if len(source.line(line)) > _LONG_LINE}

    def _trim(self, line: int) -> str:
        """A very long line cut down to what is marked in it and some text around; the marks move along."""
        text = self.source.line(line)
        starting = [mark for mark in self.marks if mark.first == line]
        ending = [mark for mark in self.marks if mark.last == line]
        places = [mark.col for mark in starting] + [mark.end for mark in ending]
        begin = max(min(places, default=0) - _AROUND, 0)
        stop = min(max([*places, begin + _LONG_LINE // 2]) + _AROUND, begin + _LONG_LINE, len(text))
        head, tail = "..." if begin else "", "..." if stop < len(text) else ""
        for mark in starting:
            mark.col = min(mark.col, stop) - begin + len(head)
        for mark in ending:
            mark.end = min(mark.end, stop) - begin + len(head)
        return head + text[begin:stop] + tail

    def rows(self) -> list[str]:
        out: list[str] = []
        before = 0
        for line in self._lines():
            running = [m for m in self.marks if m.multiline and m.first <= before and line <= m.last]
            if running and line > before + 1:
                out.append(self.paint("...".ljust(self.width + 3), "gutter") + _rails(running).render(self.paint))
            out += self._line(line)
            before = line
        return out

    def _lines(self) -> list[int]:
        lines: set[int] = set()
        for mark in self.marks:
            if mark.last - mark.first < _LONG_SPAN:
                lines.update(range(mark.first, mark.last + 1))
            else:
                lines.update((mark.first, mark.first + 1, mark.last))
        return sorted(lines)

    def _row(self, ink: Ink, number: int | None = None) -> str:
        gutter = (str(number) if number is not None else "").rjust(self.width)
        text = ink.render(self.paint)
        return self.paint(f"{gutter} |", "gutter") + (f" {text}" if text else "")

    def _line(self, line: int) -> list[str]:
        text = self.trimmed.get(line, self.source.line(line))
        spans = [mark for mark in self.marks if mark.multiline and mark.first <= line <= mark.last]
        running = [mark for mark in spans if mark.first < line]  # their rail passes here
        ink = _rails(running)
        for mark in spans:
            if mark.first == line and mark.leads:
                ink.put(mark.rail, "/", mark.tone)
                running.append(mark)
        ink.put(self._column(text, 0), shown(text).rstrip(), "")
        out = [self._row(ink, line)]
        single = [mark for mark in self.marks if not mark.multiline and mark.first == line]
        if single:
            out += self._underlines(running, text, single)
        for mark in spans:  # the corner, `_____^`, of a rail that starts in the middle of this line, or that ends here
            if mark.first == line and not mark.leads:
                out.append(self._row(self._corner(running, mark, self._column(text, mark.col), "")))
                running.append(mark)
        for mark in sorted(spans, key=lambda m: m.end):
            if mark.last == line:
                out.append(self._row(self._corner(running, mark, self._column(text, max(mark.end - 1, 0)), mark.text)))
                running.remove(mark)
        return out

    def _column(self, text: str, col: int) -> int:
        """Screen column, rails included, of a column in characters."""
        return (self.rails + 1 if self.rails else 0) + cells(text[:col]) + max(col - len(text), 0)

    def _corner(self, running: list[_Mark], mark: _Mark, column: int, text: str) -> Ink:
        ink = _rails(running)
        ink.put(mark.rail + 1, "_" * (column - mark.rail - 1), mark.tone)
        ink.put(column, mark.char, mark.tone)
        if text:
            ink.put(column + 2, text, mark.tone)
        return ink

    def _underlines(self, running: list[_Mark], text: str, marks: list[_Mark]) -> list[str]:
        """The row of carets and dashes, then the labels that don't fit behind them, each under its span's start."""
        ink = _rails(running)
        places = []
        for order, mark in enumerate(marks):
            start = self._column(text, mark.col)
            end = max(self._column(text, mark.end), start + 1)
            places.append((start, end, order, mark))
        for start, end, _, mark in sorted(places, key=lambda p: (p[3].char == "^", p[0] - p[1])):
            ink.put(start, mark.char * (end - start), mark.tone)

        labelled = sorted((p for p in places if p[3].text), key=lambda p: (-p[0], -p[1], p[2]))
        rows_end = max(end for _, end, _, _ in places)
        hanging = labelled
        if labelled and labelled[0][1] == rows_end:
            ink.put(rows_end + 1, labelled[0][3].text, labelled[0][3].tone)
            hanging = labelled[1:]
        out = [self._row(ink)]
        if hanging:
            stems = _rails(running)
            for at, _, _, mark in reversed(hanging):
                stems.put(at, "|", mark.tone)
            out.append(self._row(stems))
        for index, (start, _, _, mark) in enumerate(hanging):
            row = _rails(running)
            for at, _, _, other in reversed(hanging[index + 1 :]):
                if at != start:
                    row.put(at, "|", other.tone)
            row.put(start, mark.text, mark.tone)
            out.append(self._row(row))
        return out


def _rails(marks: list[_Mark]) -> Ink:
    """The start of a row: the rails of spans that run past it."""
    ink = Ink()
    for mark in marks:
        ink.put(mark.rail, "|", mark.tone)
    return ink


def _give_rails(marks: list[_Mark]) -> int:
    """Give each span of several lines a rail that no overlapping one uses; the number of rails."""
    ends: list[int] = []  # last line of what runs on each rail
    for mark in sorted(marks, key=lambda m: (m.first, -m.last)):
        mark.rail = next((rail for rail, end in enumerate(ends) if end < mark.first), len(ends))
        ends[mark.rail :] = [mark.last, *ends[mark.rail + 1 :]]
    return len(ends)
