"""Parallel copies put in sequence: a set of moves that happen at once in, the same as single moves out.

A place is an integer: a register from 0 to 10, or ~v (negative) for the spill slot of virtual register v. A source may
also be RECIPE + v: the value that v's recipe computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RECIPE", "Scratch", "sequence"]

RECIPE = 1 << 24
LENT = 9  # the register that lends itself when none is free


class Scratch(Protocol):
    """Places that nothing else uses at the point of the moves."""

    def register(self, taken: set[int]) -> int:
        """A register that holds nothing before the moves and is not `taken`; -1 if there is none."""

    def slot(self, which: int) -> int:
        """A spill slot for temporary use: 0 or 1."""


def sequence(moves: list[tuple[int, int]], scratch: Scratch) -> list[tuple[int, int]]:
    """Order (destination, source) pairs so that no source is overwritten before it is read.

    Destinations are distinct. First values go from slots and recipes into slots, then from registers into slots, then
    among registers, and at last from slots and recipes into registers.
    """
    if len(moves) == 1:
        dst, src = moves[0]
        if dst >= 0 or 0 <= src < RECIPE:
            return [] if dst == src else moves
    among: dict[int, int] = {}
    between: dict[int, int] = {}
    stores, loads = [], []
    for dst, src in moves:
        if dst == src:
            continue
        if 0 <= src < RECIPE:
            if dst >= 0:
                among[dst] = src
            else:
                stores.append((dst, src))
        elif dst >= 0:
            loads.append((dst, src))
        else:
            between[dst] = src
    ordered = stores
    if between:
        # Stores into slots that are read here come afterwards; their registers are not touched before.
        sources = {src for _, src in moves if 0 <= src < RECIPE}
        ordered = _among_slots(between, sources, scratch) + stores
    if among:
        ordered = ordered + _permute(among, lambda: _break(among, scratch))
    return ordered + loads


def _break(among: dict[int, int], scratch: Scratch) -> int:
    """Where a cycle among registers keeps one value meanwhile."""
    reg = scratch.register(set(among) | set(among.values()))
    return reg if reg >= 0 else scratch.slot(1)


def _permute(moves: dict[int, int], aside: Callable[[], int]) -> list[tuple[int, int]]:
    """Moves whose destination nobody still reads go first; a cycle that remains is broken by putting a value `aside`."""
    pending = dict(moves)
    ordered = []
    readers: dict[int, int] = {}
    for src in pending.values():
        readers[src] = readers.get(src, 0) + 1
    ready = [dst for dst in pending if dst not in readers]
    while pending:
        if not ready:
            dst = next(iter(pending))
            free = aside()
            ordered.append((free, dst))
            for other, src in pending.items():
                if src == dst:
                    pending[other] = free
            readers[dst] = 0
            ready.append(dst)
        dst = ready.pop()
        src = pending.pop(dst)
        ordered.append((dst, src))
        if src in readers:
            readers[src] -= 1
            if not readers[src] and src in pending:
                ready.append(src)
    return ordered


def _among_slots(moves: dict[int, int], sources: set[int], scratch: Scratch) -> list[tuple[int, int]]:
    """Moves into slots from other slots or recipes, each by way of a register."""
    steps = _permute(moves, lambda: scratch.slot(1))
    carrier = scratch.register(sources)
    if carrier >= 0:
        return [step for dst, src in steps for step in ((carrier, src), (dst, carrier))]
    saved = scratch.slot(0)
    return [(saved, LENT), *(step for dst, src in steps for step in ((LENT, src), (dst, LENT))), (LENT, saved)]
