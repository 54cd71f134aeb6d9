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

__all__ = ["Advised", "between", "listed", "memory"]


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


def between(lo: int, hi: int) -> str:
    """What is known of a number, in words."""
    if lo <= -(1 << 63) and hi >= (1 << 63) - 1:
        return "nothing is known of its value"
    if lo == 0 and hi == (1 << 64) - 1:
        return "it may be any u64"
    low = "very negative" if lo <= -(1 << 63) else str(lo)
    high = "2**64 - 1" if hi == (1 << 64) - 1 else "2**63 - 1" if hi == (1 << 63) - 1 else str(hi)
    return f"it may be anything from {low} to {high}"


_MEMORY = {
    "packet": "the packet", "map": "a map", "percpu": "a per-CPU map", "stack": "the program's own memory",
    "global": "a global of the program", "const": "a constant of the program",
    "ringbuf": "a ring-buffer record", "ctx": "the context",
    "lent": "the kernel's memory", "trusted": "the kernel's memory", "untrusted": "the kernel's memory",
    "rcu": "the kernel's memory", "slice": "what slice() gives",
    "kernel": "the kernel's memory", "user": "the process's memory",
}  # fmt: skip


def memory(space: str) -> str:
    """`the packet` for a Space."""
    return _MEMORY.get(space, f"{space} memory")
