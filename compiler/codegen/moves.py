"""Parallel copies put in sequence: a set of moves that happen at once in, the same as single moves out.

A place is an integer: a register from 0 to 10, or ~v (negative) for the spill slot of virtual register v. A source may
also be RECIPE + v: the value that v's recipe computes.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Protocol

    class Scratch(Protocol):
        """Places that nothing else uses at the point of the moves."""

        def register(self, taken: set[int]) -> int:
            """A register that holds nothing before the moves and is not `taken`; -1 if there is none."""
            ...

        def slot(self, which: int) -> int:
            """A spill slot for temporary use: 0 or 1."""
            ...


__all__ = ["RECIPE", "sequence"]

RECIPE = 1 << 24
LENT = 9  # the register that lends itself when none is free


def sequence(moves: list[tuple[int, int]], scratch: Scratch) -> list[tuple[int, int]]:
    """Order (destination, source) pairs so that no source is overwritten before it is read.

    Destinations are distinct. Of the moves that are possible, those into slots go first, which leaves most registers
    to carry values from slot to slot; that is done in two steps, since no instruction does it.
    """
    if len(moves) == 1:
        dst, src = moves[0]
        if dst >= 0 or 0 <= src < RECIPE:
            return [] if dst == src else moves
    pending = {dst: src for dst, src in moves if dst != src}
    taken = {place for move in pending.items() for place in move}
    steps = _permute(pending, taken, scratch)
    if all(dst >= 0 or 0 <= src < RECIPE for dst, src in steps):
        return steps
    return _carried(steps, taken, scratch)


def _permute(pending: dict[int, int], taken: set[int], scratch: Scratch) -> list[tuple[int, int]]:
    """Moves whose destination nobody still reads go first; what remains are cycles, in which one value steps aside."""
    ordered = []
    readers: dict[int, int] = {}
    for src in pending.values():
        readers[src] = readers.get(src, 0) + 1
    free = [dst for dst in reversed(pending) if dst not in readers]
    ready_slots = [dst for dst in free if dst < 0]
    ready = [dst for dst in free if dst >= 0]
    while pending:
        if not ready and not ready_slots:
            dst = max(pending)  # a register, if there is one
            aside = scratch.register(taken)
            if aside >= 0:
                taken.add(aside)
            else:
                aside = scratch.slot(1)
            ordered.append((aside, dst))
            for other, src in pending.items():
                if src == dst:
                    pending[other] = aside
            readers[dst] = 0
            ready.append(dst)
        dst = ready_slots.pop() if ready_slots else ready.pop()
        src = pending.pop(dst)
        ordered.append((dst, src))
        if src in readers:
            readers[src] -= 1
            if not readers[src] and src in pending:
                (ready if src >= 0 else ready_slots).append(src)
    return ordered


def _carried(steps: list[tuple[int, int]], taken: set[int], scratch: Scratch) -> list[tuple[int, int]]:
    """The steps with those into slots, from other slots or recipes, made by way of a register.

    That is one that nothing else uses; or one that is written later and whose old value is not read any more; or R9,
    which is put aside meanwhile.
    """
    free = scratch.register(taken)
    found = []
    for index, (dst, src) in enumerate(steps):
        if dst >= 0 or 0 <= src < RECIPE:
            found.append((dst, src))
            continue
        carrier = free if free >= 0 else _written_later(steps[index + 1 :])
        if carrier >= 0:
            found += [(carrier, src), (dst, carrier)]
        else:
            saved = scratch.slot(0)
            found += [(saved, LENT), (LENT, src), (dst, LENT), (LENT, saved)]
    return found


def _written_later(steps: list[tuple[int, int]]) -> int:
    """A register that the steps write before they read it, or -1."""
    read = set()
    for dst, src in steps:
        read.add(src)
        if dst >= 0 and dst not in read:
            return dst
    return -1
