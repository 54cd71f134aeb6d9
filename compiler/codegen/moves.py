"""Parallel copies put in sequence: a set of moves that happen at once in, the same as single moves out.

A place is an integer: a register from 0 to 10, or ~v (negative) for the spill slot of virtual register v. A source may
also be RECIPE + v: the value that v's recipe computes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RECIPE", "sequence"]

RECIPE = 1 << 24


def sequence(moves: list[tuple[int, int]], scratch: Callable[[], int]) -> list[tuple[int, int]]:
    """Order (destination, source) pairs so that no source is overwritten before it is read.

    Destinations are distinct. Stores into slots come first, then moves among registers, then loads and recipes.
    `scratch` gives a place to break a cycle with, or to carry a value from slot to slot: a register that nothing else
    uses here, or the slot of a virtual register of its own, if there is none.
    """
    if len(moves) == 1:
        dst, src = moves[0]
        if dst >= 0 or 0 <= src < RECIPE:
            return [] if dst == src else moves
    stores = [m for m in moves if m[0] < 0 and 0 <= m[1] < RECIPE]
    loads = [m for m in moves if m[0] >= 0 and not 0 <= m[1] < RECIPE]
    between = [m for m in moves if m[0] < 0 and not 0 <= m[1] < RECIPE and m[0] != m[1]]
    registers = {dst: src for dst, src in moves if dst >= 0 and 0 <= src < RECIPE and dst != src}
    ordered = stores + _permute(registers, scratch)
    if between:
        ordered = _through_scratch(between, scratch) + ordered
    return ordered + loads


def _permute(pending: dict[int, int], scratch: Callable[[], int]) -> list[tuple[int, int]]:
    """Moves among registers: those whose destination nobody still reads go first; what remains are cycles."""
    ordered = []
    readers: dict[int, int] = {}
    for src in pending.values():
        readers[src] = readers.get(src, 0) + 1
    ready = [dst for dst in pending if dst not in readers]
    while pending:
        if not ready:
            # A cycle: keep one destination's old value aside, for the move that wants it.
            dst = next(iter(pending))
            free = scratch()
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


def _through_scratch(moves: list[tuple[int, int]], scratch: Callable[[], int]) -> list[tuple[int, int]]:
    """Moves into slots from other slots or recipes. Slots of virtual registers that live at once differ, but a phi
    may be passed to another phi of the same block, so all are read before the first is written.
    """
    if any(dst == src for dst, _ in moves for _, src in moves):
        raise AssertionError("the slots of a block's parameters are exchanged")
    free = scratch()
    if free >= 0:
        return [step for dst, src in moves for step in ((free, src), (dst, free))]
    # No register is free: R9 lends itself.
    return [(free, 9), *(step for dst, src in moves for step in ((9, src), (dst, 9))), (9, free)]
