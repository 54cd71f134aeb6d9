"""Spill slots: which virtual registers share one.

Two that are live at the same point need two slots. A block's parameter is written at the end of the blocks before it:
there it must not share with what is live, except with the value that it is passed; with that one it had better share,
since the move between their slots is then none.
"""

from __future__ import annotations

from pybpf.compiler.codegen.regalloc import NEVER, first_common
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.intervals import Interval, Intervals
    from pybpf.compiler.codegen.machine import MFunction

__all__ = ["share_slots"]


class _Life(Record, eq=False):
    """Where a virtual register is live, and the (position, passed value) where it is written from outside."""

    vreg: int
    ranges: list[tuple[int, int]]
    writes: list[tuple[int, int]]


def share_slots(fn: MFunction, live: Intervals, parts: dict[int, list[Interval]], spilled: list[int]) -> dict[int, int]:
    """Slot numbers, from 0 up, of the virtual registers that need one."""
    lives = {v: _Life(v, [span for part in parts[v] for span in part.ranges], []) for v in spilled}
    for block in fn.blocks:
        for which, target in enumerate(block.succs):
            for param, arg in zip(target.params, block.args[which], strict=True):
                if param in lives:
                    lives[param].writes.append((live.starts[block.number + 1] - 1, arg))
    owners: list[list[_Life]] = []
    found: dict[int, int] = {}
    for v in sorted(spilled, key=lambda v: (lives[v].ranges[0][0], v)):
        life = lives[v]
        liked = [found[other] for other in live.related.get(v, ()) if other in found]
        for number in [*liked, *range(len(owners))]:
            if not any(_clash(life, other) for other in owners[number]):
                owners[number].append(life)
                found[v] = number
                break
        else:
            found[v] = len(owners)
            owners.append([life])
    return found


def _clash(first: _Life, second: _Life) -> bool:
    return (
        first_common(first.ranges, second.ranges) < NEVER
        or _written_into(first, second)
        or _written_into(second, first)
    )


def _written_into(writer: _Life, other: _Life) -> bool:
    """`writer` is written where `other`, not being what is passed, is live or written too."""
    for at, passed in writer.writes:
        if passed != other.vreg and any(start <= at < end for start, end in other.ranges):
            return True
        if any(at == there for there, _ in other.writes):
            return True
    return False
