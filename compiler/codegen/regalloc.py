"""Register allocation: live intervals in, a register or memory for each part of each interval out.

Linear scan over SSA intervals with holes and splitting (Wimmer and Moessenboeck, "Optimized Interval Splitting in a
Linear Scan Register Allocator", VEE 2005; Wimmer and Franz, "Linear Scan Register Allocation on SSA Form", CGO 2010):

- Intervals are taken in order of their start. One gets a register that is free for all of it: first the one it is
  hinted to (an argument's register, the register of a value it is copied from or tied to, of its phi), then a
  caller-saved one; across a call that leaves only R6 to R9.
- If none is free for so long, it gets the one that is free longest and is split before that one is taken.
- If none is free at all, the interval whose next use is farthest away gives way: it is split, its value goes to
  memory and comes back before the next use that needs a register. A recipe's value needs no store to be had again.
- Splits are moved out of loops: of all places between the last use and the point where the register is lost, the one in
  the fewest loops is taken.
"""

from __future__ import annotations

from _bisect import bisect_right
from _heapq import heapify, heappop, heappush

from pybpf.compiler.codegen.intervals import Interval
from pybpf.compiler.codegen.machine import ALLOCATABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.intervals import Intervals

__all__ = ["NEVER", "allocate", "first_common"]

NEVER = 1 << 40
# Where to look first. Those that calls and results want come last among the caller-saved registers.
CALLER_FIRST = (5, 4, 3, 2, 1, 0, 6, 7, 8, 9)
CALLEE_FIRST = (6, 7, 8, 9, 5, 4, 3, 2, 1, 0)
CHEAP = 60  # positions that a recipe's next use counts as farther away, since it costs no load


def allocate(live: Intervals) -> dict[int, list[Interval]]:
    """For each virtual register the parts that its life was split into, in order, each with its register or -1."""
    scan = _Scan(live)
    scan.run()
    parts: dict[int, list[Interval]] = {}
    for interval in sorted(scan.done, key=_start):
        parts.setdefault(interval.vreg, []).append(interval)
    return parts


def _start(interval: Interval) -> int:
    return interval.ranges[0][0]


class _Scan:
    def __init__(self, live: Intervals) -> None:
        self.live = live
        self.clobber_at = [at for at, _ in live.clobbers]
        self.destroyed = 0  # the registers that any instruction destroys
        for _, mask in live.clobbers:
            self.destroyed |= mask
        self.latest: dict[int, int] = {}  # virtual register -> register that its latest part has
        self.active: list[Interval] = []
        self.inactive: list[Interval] = []
        self.done: list[Interval] = []
        self.serial = 0
        self.waiting: list[tuple[int, int, Interval]] = []

    def run(self) -> None:
        for interval in self.live.all:
            self.serial += 1
            self.waiting.append((interval.ranges[0][0], self.serial, interval))
        heapify(self.waiting)
        while self.waiting:
            at, _, current = heappop(self.waiting)
            self._advance(at)
            if not (self._take_free(current) or self._take_used(current)):
                self._to_memory(current, current.start)
                self.done.append(current)
                continue
            self.latest[current.vreg] = current.reg
            self.active.append(current)
            self.done.append(current)

    def _queue(self, interval: Interval) -> None:
        self.serial += 1
        heappush(self.waiting, (interval.ranges[0][0], self.serial, interval))

    def _advance(self, at: int) -> None:
        """Sort out which intervals are over, in a hole, or live at `at`."""
        active: list[Interval] = []
        inactive: list[Interval] = []
        for interval in self.active + self.inactive:
            ranges = interval.ranges
            if ranges[-1][1] <= at:
                continue
            if len(ranges) == 1:
                active.append(interval)
            else:
                (active if _covers(ranges, at) else inactive).append(interval)
        self.active, self.inactive = active, inactive

    def _free_until(self, current: Interval) -> list[int]:
        """For each register the first position of `current` at which something else has it."""
        free = [NEVER] * ALLOCATABLE
        for interval in self.inactive:
            reg = interval.reg
            if free[reg]:
                at = first_common(interval.ranges, current.ranges)
                if at < free[reg]:
                    free[reg] = at
        for interval in self.active:
            free[interval.reg] = 0
        for reg, at in self._clobbered(current):
            if at < free[reg]:
                free[reg] = at
        return free

    def _clobbered(self, current: Interval) -> list[tuple[int, int]]:
        """(register, position) where an instruction first destroys the register during `current`."""
        found = []
        seen = 0
        positions = self.clobber_at
        for start, end in current.ranges:
            index = bisect_right(positions, start - 1)
            while index < len(positions) and positions[index] < end:
                at, mask = self.live.clobbers[index]
                new = mask & ~seen
                seen |= mask
                reg = 0
                while new:
                    if new & 1:
                        found.append((reg, at))
                    new >>= 1
                    reg += 1
                if seen == self.destroyed:
                    return found
                index += 1
        return found

    def _take_free(self, current: Interval) -> bool:
        free = self._free_until(current)
        end = current.ranges[-1][1]
        hints = self._hints(current)
        for reg in hints:
            if free[reg] >= end:
                current.reg = reg
                return True
        for reg in CALLEE_FIRST if current.vreg in self.live.kept else CALLER_FIRST:
            if free[reg] >= end:
                current.reg = reg
                return True
        best = max(free)
        limit = best & ~3
        start = current.ranges[0][0]
        if limit <= start or not any(at < limit for at, _ in current.uses):
            return False
        current.reg = next((reg for reg in hints if free[reg] == best), free.index(best))
        self._queue(self._split(current, self._best_split(current, limit)))
        return True

    def _hints(self, current: Interval) -> list[int]:
        v = current.vreg
        found = []
        if v in self.live.hints:
            found.append(self.live.hints[v])
        latest = self.latest
        if v in latest:
            found.append(latest[v])
        for other in self.live.related.get(v, ()):
            if other in latest:
                found.append(latest[other])
            elif other in self.live.hints:
                found.append(self.live.hints[other])
        return found

    def _take_used(self, current: Interval) -> bool:
        """Take the register whose holders are needed last. False: that is `current` itself, which goes to memory."""
        start, end = current.ranges[0][0], current.ranges[-1][1]
        gap = start & ~3
        wanted = next((at for at, must in current.uses if must), None)
        if wanted is None:
            return False
        next_use = [NEVER] * ALLOCATABLE
        copied = start == gap + 1  # what is passed in certain registers is there already
        for interval in self.active:
            at = self._next_use(interval, gap, copied) if _may_leave(interval, gap) else 0
            if at < next_use[interval.reg]:
                next_use[interval.reg] = at
        for interval in self.inactive:
            if first_common(interval.ranges, current.ranges) < NEVER:
                at = self._next_use(interval, gap)
                if at < next_use[interval.reg]:
                    next_use[interval.reg] = at
        blocked = [NEVER] * ALLOCATABLE
        for reg, at in self._clobbered(current):
            blocked[reg] = at
            if at < next_use[reg]:
                next_use[reg] = at
        reg = max(range(ALLOCATABLE), key=next_use.__getitem__)
        if next_use[reg] <= wanted and wanted & ~3 > gap:
            return False
        assert next_use[reg] > start, f"no register for {current}"
        current.reg = reg
        for interval in [i for i in self.active if i.reg == reg]:
            self._evict(interval, gap, start)
            self.active.remove(interval)
        for interval in [i for i in self.inactive if i.reg == reg]:
            if first_common(interval.ranges, current.ranges) < NEVER:
                self._evict(interval, gap, start)
                self.inactive.remove(interval)
        if blocked[reg] < end:
            self._queue(self._split(current, self._best_split(current, blocked[reg] & ~3)))
        return True

    def _next_use(self, interval: Interval, at: int, copied: bool = False) -> int:
        """Position of the first use from the gap `at` on; without one there that was `copied` before."""
        for use, must in interval.uses:
            if use >= at and (must or not copied or use > at):
                return use + CHEAP if interval.anew and use > at + 3 else use
        return NEVER

    def _evict(self, interval: Interval, gap: int, now: int) -> None:
        """Take the register from `interval` from position `gap` on (or from its last use before that)."""
        if interval.ranges[0][0] >= gap:
            interval.reg = -1
            self._to_memory(interval, now)
            return
        rest = self._split(interval, self._best_split(interval, gap))
        if rest.ranges[0][0] > now:
            self._queue(rest)  # it was in a hole, and may well find another register behind that
        else:
            self._to_memory(rest, now)
            self.done.append(rest)

    def _to_memory(self, interval: Interval, now: int) -> None:
        """`interval` has no register, up to the gap before its next use that must; what follows is queued again."""
        for use, must in interval.uses:
            if must:
                gap = use & ~3
                lowest = max(interval.ranges[0][0], now) | 3
                assert gap > interval.ranges[0][0], f"{interval} must be in a register from the start"
                self._queue(self._split(interval, self._outside_loops(lowest + 1, gap)))
                return

    def _best_split(self, interval: Interval, limit: int) -> int:
        """The gap, after the last use before `limit` and not after `limit`, that is in the fewest loops."""
        last = interval.ranges[0][0]
        for use, _ in interval.uses:
            if use >= limit:
                break
            last = use
        return self._outside_loops((last | 3) + 1, limit)

    def _outside_loops(self, lowest: int, limit: int) -> int:
        """`limit`, or the last start of a block from `lowest` on that is in fewer loops."""
        starts, depths = self.live.starts, self.live.depths
        last = bisect_right(starts, limit) - 1
        if last >= len(depths):
            last -= 1
        best, cost = limit, depths[last]
        number = last
        while cost and number and starts[number] >= lowest:
            entry = min(depths[number], depths[number - 1])
            if entry < cost:
                best, cost = starts[number], entry
            number -= 1
        return best

    def _split(self, interval: Interval, at: int) -> Interval:
        """Cut `interval` at the gap `at`, and return the part from there on."""
        assert interval.ranges[0][0] < at < interval.ranges[-1][1], f"{interval} cannot be split at {at}"
        before, after = [], []
        for start, end in interval.ranges:
            if end <= at:
                before.append((start, end))
            elif start >= at:
                after.append((start, end))
            else:
                before.append((start, at))
                after.append((at, end))
        uses = interval.uses
        count = sum(1 for use, _ in uses if use < at)
        rest = Interval(interval.vreg, after, uses[count:], anew=interval.anew)
        interval.ranges, interval.uses = before, uses[:count]
        return rest


def _may_leave(interval: Interval, gap: int) -> bool:
    """Whether the instruction at `gap` can do without `interval` in its register."""
    start = interval.ranges[0][0]
    return start < gap or (start == gap and not any(must and use < gap + 4 for use, must in interval.uses))


def _covers(ranges: list[tuple[int, int]], at: int) -> bool:
    for start, end in ranges:
        if at < end:
            return start <= at
    return False


def first_common(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> int:
    """The first position that both have, or NEVER."""
    i = j = 0
    while i < len(first) and j < len(second):
        start, end = first[i]
        other_start, other_end = second[j]
        at = start if start > other_start else other_start
        if at < end and at < other_end:
            return at
        if end < other_end:
            i += 1
        else:
            j += 1
    return NEVER
