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
    would see the new object where Python sees the old one. Keep the numbers you need instead of the reference. What was
    read from a field of text, array or struct type is a reference to the field, and gone once the field is assigned. A
    header that was parsed is gone once a helper has changed where the packet starts or ends; a socket or another object
    that was acquired, once it is released or put into a map, a list or a tree; what was found in a list or a tree, once
    the lock is given back or something is taken out.

        for i in range(4):
            if i > 0:
                total += previous.x          # fails: `previous` is this iteration's point
            point = Point(x=i, y=0)
            previous = point

        for i in range(4):
            total += previous_x              # works
            point = Point(x=i, y=0)
            previous_x = point.x
    """

    name: str
    why: str
    where: Span

    code = "E0810"
    title = "`{name}` can't be used here: {why}"
    label = "refers to what is gone"

    @property
    def again(self) -> bool:
        return "anew" in self.why

    @property
    def assigned(self) -> bool:
        return "assigned" in self.why

    @property
    def discarded(self) -> bool:
        return "discarded" in self.why

    @property
    def iteration(self) -> bool:
        return "iteration" in self.why and not self.again and not self.iterated

    @property
    def released(self) -> bool:
        return "released" in self.why

    @property
    def kept(self) -> bool:
        return "it was put into" in self.why or "given back" in self.why

    @property
    def lent(self) -> bool:
        return "the lock was" in self.why or "the region" in self.why or "taken out" in self.why

    @property
    def moved(self) -> bool:
        return "moved" in self.why

    @property
    def iterated(self) -> bool:
        return "iterator" in self.why

    @property
    def returned(self) -> bool:
        return "has returned" in self.why

    def more(self) -> Iterator[Label | Note | Help]:
        if self.where != self.span:
            causes = (
                ("assigned", self.assigned), ("made", self.again or self.iteration), ("discarded", self.discarded),
                ("moved", self.moved), ("released", self.released), ("given", self.iterated or self.returned),
                ("given away", self.kept and not self.lent), ("that", self.lent),
            )  # fmt: skip
            happened = next((word for word, holds in causes if holds), "reserved")
            yield Label(self.where, f"{happened} here")
        if self.assigned:
            yield Help(
                f"use `{self.name}` before the assignment, read it again after it, or keep a copy:",
                (f"{self.name} = copy.deepcopy(...)",),
            )
            yield Note("it refers to the field itself; Python would still have the old object")
        elif self.iteration:
            yield Help("make the object in front of the loop, and fill it in inside")
        elif self.again:
            yield Help("keep the fields you need in variables instead of the object:", ("previous_id = current.id",))
        elif self.moved:
            lines = (f"{self.name} = pkt.parse(...)",)
            yield Help("parse the packet again, from its start, where the cursor is now:", lines)
            yield Note("the kernel would say: R6 invalid mem access 'scalar'")
        elif self.iterated:
            yield Help("keep the numbers you need in variables, or acquire the object in the loop")
        elif self.lent or self.returned:
            yield Help(f"use `{self.name}` before, or keep what you need of it as numbers")
        elif self.kept:
            yield Help("use it before: the program holds it no longer")
        elif self.released:
            yield Help("release it last, when nothing more is read from it")
        elif self.discarded:
            yield Help("discard the record last, when nothing more is read from it")
        else:
            yield Help("use the record inside its `with` block only")
