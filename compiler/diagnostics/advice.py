"""A diagnostic whose help is fixed but for its fields: most of them.

    class NoFloat(Advised):
        '''...'''

        text: str

        code = "E0101"
        title = "`{text}` is a floating-point number"
        label = "BPF has integers only"
        way_out = "scale it: count in thousandths, and divide in user space"
        lines = ("x * 1000 // y",)

`way_out`, `lines` and `why` are templates over the fields, as titles are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Advised", "listed"]


class Advised(Diagnostic):
    """Base of diagnostics with a fixed help (`way_out`, with the `lines` to write) and a fixed note (`why`)."""

    way_out: ClassVar[str] = ""
    lines: ClassVar[tuple[str, ...]] = ()
    why: ClassVar[str] = ""

    def more(self) -> Iterator[Label | Note | Help]:
        values = {f: getattr(self, f) for f in type(self)._fields}
        if self.way_out:
            yield Help(self.way_out.format_map(values), tuple([line.format_map(values) for line in self.lines]))
        if self.why:
            yield Note(self.why.format_map(values))


def listed(names: tuple[str, ...], most: int = 12) -> str:
    """Names in a sentence: `a, b and c`; of many, the first few."""
    if len(names) > most:
        return f"{', '.join(names[:most])}, ... ({len(names)} in all)"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
