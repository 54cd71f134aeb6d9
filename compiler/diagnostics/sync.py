"""E14xx: what several CPUs share: atomic instructions, spin locks, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AtomicLevel", "NotAtomicPlace"]


class AtomicLevel(Diagnostic):
    """An atomic instruction that the instruction set of `--cpu` does not have.

    Atomic additions are in every instruction set; `&=`, `|=`, `^=` on memory that other CPUs see, and what gives back
    the old value (`fetch_add()` and the like), came with v3 (Linux 5.12).

        before = fetch_add(entry.hits, 1)      # fails with --cpu v2, works with --cpu v3
        entry.hits += 1                        # works everywhere
    """

    what: str
    level: int

    code = "E1401"
    title = "{what} needs instruction set v3, and the program is built for v{level}"
    label = "no such instruction in v{level}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("build with --cpu v3, which Linux 5.12 and later run")


class NotAtomicPlace(Diagnostic):
    """What an atomic function is given is not a number in memory that the machine can change in one step.

    It can for fields, elements, array slots and `var()`s of 32 or 64 bits, in host order.

        hits = entry.hits
        fetch_add(hits, 1)              # fails: a copy
        fetch_add(entry.hits, 1)        # works
        fetch_add(slots[0], 1)          # works, where slots is an ArrayMap
    """

    text: str
    why: str
    map: str

    code = "E1402"
    title = "`{text}` can't be changed in one step: {why}"
    label = "not such a place"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.map:
            lines = (f"entry = {self.map}.get(key)", "if entry is not None:", "    fetch_add(entry.hits, 1)")
            yield Help("look up an entry that is a Struct, and name the field:", lines)
        else:
            yield Help("name a field, an element, an array's slot or a `var()` of type u32, i32, u64 or i64")
