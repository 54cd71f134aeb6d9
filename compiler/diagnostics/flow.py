"""E08xx, second part: objects that are gone when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = ["Stale"]


class Stale(Diagnostic):
    """A variable refers to an object that is no longer there.

    A ring-buffer record is gone once it is submitted (at the end of its `with` block) or discarded. An object made in
    a loop has one place in memory, which the next iteration uses again, so a reference kept from an earlier iteration
    would see the new object where Python sees the old one. Keep the numbers you need instead of the reference.

        previous_id = current.id
    """

    name: str
    why: str
    where: Span

    code = "E0810"
    title = "`{name}` can't be used here: {why}"
    label = "refers to what is gone"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where != self.span:
            yield Label(self.where, "this object")
        if "iteration" in self.why or "anew" in self.why:
            yield Help("keep the fields you need in variables instead of the object", ("previous_id = current.id",))
        else:
            yield Help("use the record only inside its `with` block, and before it is discarded")
