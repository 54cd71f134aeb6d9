"""Spill slots: which virtual registers share one.

Two that are live at the same point need two slots. A block's parameter is written at the end of the blocks before it:
there it must not share with what is live, except with the value that it is passed; with that one it had better share,
since the move between their slots is then none. Those that have one home (homes.py) count as one.
"""

from __future__ import annotations

from pybpf.compiler.codegen.regalloc import NEVER, first_common
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from pybpf.compiler.codegen.intervals import Interval, Intervals
    from pybpf.compiler.codegen.machine import MFunction

__all__ = ["Write", "share_slots", "written_into", "writes_of_edges"]


class Write(Record):
    """A parameter is written on an edge (number of the source block, which successor), where `passed` is passed.

    That is at position `at`, the end of the source; or in a block of the edge's own (-1), where nothing else is live
    that the target does not want than `beside`, what is passed to other parameters.
    """

    edge: tuple[int, int]
    passed: int
    at: int
    beside: frozenset[int]


class _Life(Record, eq=False):
    """Where virtual registers are live, and where they are written what is not one of them."""

    members: frozenset[int]
    ranges: list[tuple[int, int]]
    writes: list[Write]


def share_slots(fn: MFunction, live: Intervals, parts: dict[int, list[Interval]], spilled: list[int]) -> dict[int, int]:
    """Slot numbers, from 0 up, of the virtual registers that need one."""
    lives: dict[int, _Life] = {}
    for v in spilled:
        home = live.homes.get(v)
        if home is None:
            lives[v] = _Life(frozenset([v]), [span for part in parts[v] for span in part.ranges], [])
        elif v not in lives:
            life = _Life(home.members, home.ranges, [])
            lives.update(dict.fromkeys(home.members, life))
    for param, write in writes_of_edges(fn, live.starts):
        if param in lives and write.passed not in lives[param].members:
            lives[param].writes.append(write)
    owners: list[list[_Life]] = []
    found: dict[int, int] = {}
    for v in sorted(spilled, key=lambda v: (lives[v].ranges[0][0], v)):
        if v in found:
            continue
        life = lives[v]
        liked = [found[other] for member in life.members for other in live.related.get(member, ()) if other in found]
        for number in [*sorted(liked), *range(len(owners))]:
            if not any(_clash(life, other) for other in owners[number]):
                owners[number].append(life)
                break
        else:
            number = len(owners)
            owners.append([life])
        found.update(dict.fromkeys(life.members, number))
    return found


def writes_of_edges(fn: MFunction, starts: list[int]) -> list[tuple[int, Write]]:
    """Every block parameter with every value that it is passed."""
    found = []
    for block in fn.blocks:
        for which, target in enumerate(block.succs):
            args = block.args[which]
            at, beside = starts[block.number + 1] - 1, frozenset[int]()
            if len(block.succs) > 1 and target.params:
                at, beside = -1, frozenset(args)
            for param, arg in zip(target.params, args, strict=True):
                found.append((param, Write((block.number, which), arg, at, beside)))
    return found


def _clash(first: _Life, second: _Life) -> bool:
    return (
        first_common(first.ranges, second.ranges) < NEVER
        or written_into(first.writes, second.members, second.ranges)
        or written_into(second.writes, first.members, first.ranges)
        or any(write.edge == other.edge for write in first.writes for other in second.writes)
    )


def written_into(writes: list[Write], members: Collection[int], ranges: list[tuple[int, int]]) -> bool:
    """Whether one of the writes happens where a member, not being what is passed, is live."""
    for write in writes:
        if write.passed in members:
            continue
        if write.at < 0:
            if not write.beside.isdisjoint(members):
                return True
        elif any(start <= write.at < end for start, end in ranges):
            return True
    return False
