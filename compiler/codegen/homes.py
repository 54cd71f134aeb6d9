"""Values that had better live in memory: a function and its first allocation in, values with their homes out.

Linear scan decides at one place after the other. In a loop in which more values live than there are registers it
leaves a value in a register on one way and in memory on another, and each edge between them moves it; what goes from
phi to phi is moved most. So where the first allocation took spills, those values are looked for that are wanted least
where too much is live. They stay in memory all their life, are stored where they are defined and loaded for each use,
and registers are allocated once more. The cheaper allocation of the two counts (codegen/__init__.py).

Values that phis join and that are never live at once have one home, so that no edge moves them:

    @head: %2 = phi @entry: 0, @next: %4          *(u64 *)(r10 -8) = r0          in @entry, r0 being 0
    @some: %3 = load.u16 [%p+2]             =>    *(u64 *)(r10 -8) = r0          in @some
    @next: %4 = phi @head: %2, @some: %3          nothing on the edges

What a branch tests gets no home: on kernels before 6.9 the verifier does not tell a value in memory what a test shows
of the register that it was loaded to (find_equal_scalars, kernel/bpf/verifier.c: spills had no id of their own).
"""

from __future__ import annotations

from _bisect import bisect_left, bisect_right

from pybpf.compiler.codegen.machine import ALLOCATABLE, BRANCH_K, BRANCH_X, MOV_X, RELOAD, SET_K, SET_X, SPILL
from pybpf.compiler.codegen.spillslots import Write, writes_of_edges, written_into
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.intervals import Interval, Intervals
    from pybpf.compiler.codegen.machine import MFunction

    Ranges = list[tuple[int, int]]

__all__ = ["Home", "choose_homes", "cost"]

TESTS = (BRANCH_K, BRANCH_X, SET_K, SET_X)
LOOP = 10  # times that a loop is taken to go round
MOST = 60  # homes: the stack has room for 64
PIECES = 100  # of a web's life: so many and more are not joined with others, which keeps the time linear


class Home(Record, eq=False):
    """One place in memory: the virtual registers that live there, and where one of them is live."""

    members: frozenset[int]
    ranges: Ranges


def cost(fn: MFunction) -> int:
    """Moves, loads and stores that the allocator put in, each as often as it is likely executed."""
    return sum(
        LOOP**block.depth * (2 if insn.form is RELOAD or insn.form is SPILL else 1)
        for block in fn.blocks
        for insn in block.insns
        if insn.origin is None and insn.form in (MOV_X, RELOAD, SPILL)
    )


def choose_homes(fn: MFunction, live: Intervals, parts: dict[int, list[Interval]]) -> dict[int, Home]:
    """The home of each virtual register that gets one. `parts` are those of an allocation without homes."""
    return _Choice(fn, live, parts).run()


class _Web(Record, eq=False):
    """Values that may share a home. `writes`: where they are passed others. `cost`: of their loads and stores."""

    members: set[int]
    ranges: Ranges
    writes: list[Write]
    cost: float = 0.0


class _Choice:
    def __init__(self, fn: MFunction, live: Intervals, parts: dict[int, list[Interval]]) -> None:
        self.fn = fn
        self.live = live
        self.parts = parts
        self.often = [LOOP**block.depth for block in fn.blocks]

    def run(self) -> dict[int, Home]:
        """Of all webs the one that gives the most for its cost, again and again, while something gives anything."""
        excess = self._excess()
        webs = self._webs() if any(over > 0 for over in excess) else []
        for web in webs:
            web.cost = self._cost(web)
        chosen: list[_Web] = []
        while webs and len(chosen) < MOST:
            crowded = [at for at, over in enumerate(excess) if over > 0]
            upto = [0]  # what it is worth to have one value less at all crowded positions up to one
            for at in crowded:
                upto.append(upto[-1] + self.often[self._block_of(at)])
            useful = []
            for web in webs:
                pieces = [(bisect_left(crowded, start), bisect_left(crowded, end)) for start, end in web.ranges]
                gain = sum([upto[end] - upto[start] for start, end in pieces])
                if gain:
                    useful.append((gain / web.cost, web))
            if not useful:
                break
            best = max(useful, key=_worth)[1]
            webs = [web for _, web in useful if web is not best]
            _add(excess, best.ranges, -1)
            chosen.append(best)
        # The first ones may have become superfluous.
        for web in sorted(chosen, key=lambda web: -web.cost):
            if all(over < 0 for start, end in web.ranges for over in excess[start:end]):
                _add(excess, web.ranges, 1)
                chosen.remove(web)
        return {v: home for web in chosen for home in [Home(frozenset(web.members), web.ranges)] for v in web.members}

    def _block_of(self, at: int) -> int:
        return bisect_right(self.live.starts, at) - 1

    def _excess(self) -> list[int]:
        """For each position, how many more values are live than there are registers."""
        changes = [0] * (self.live.starts[-1] + 2)
        for own in self.parts.values():
            for part in own:
                for start, end in part.ranges:
                    changes[start] += 1
                    changes[end] -= 1
        found = []
        now = -ALLOCATABLE
        for change in changes[:-1]:
            now += change
            found.append(now)
        for at, mask in self.live.clobbers:
            found[at] += mask.bit_count()
        return found

    def _webs(self) -> list[_Web]:
        """All values that may live in memory, those joined that phis of the innermost loops join first."""
        tested = self._tested()
        webs: dict[int, _Web] = {}
        for v, own in self.parts.items():
            if v not in tested and not own[0].anew:
                webs[v] = _Web({v}, [span for part in own for span in part.ranges], [])
        edges = []
        for param, write in writes_of_edges(self.fn, self.live.starts):
            if param in webs:
                webs[param].writes.append(write)
                edges.append((-self.often[write.edge[0]], param, write.passed))
        for _, param, arg in sorted(edges, key=lambda edge: edge[0]):
            first, second = webs[param], webs.get(arg)
            if second is None or first is second or len(first.ranges) + len(second.ranges) > PIECES:
                continue
            ranges = _joined(first.ranges, second.ranges)
            if (
                ranges is None
                or written_into(first.writes, second.members, second.ranges)
                or written_into(second.writes, first.members, first.ranges)
            ):
                continue
            members = first.members | second.members
            web = _Web(members, ranges, [w for w in first.writes + second.writes if w.passed not in members])
            webs.update(dict.fromkeys(members, web))
        return list(dict.fromkeys(webs.values()))

    def _tested(self) -> set[int]:
        """What branches look at, and what that is a copy of."""
        copies = []
        found: set[int] = set()
        for block in self.fn.blocks:
            for insn in block.insns:
                if insn.form in TESTS:
                    found.update(insn.srcs)
                elif insn.form is MOV_X:
                    copies.append((insn.dst, insn.srcs[0]))
        for dst, src in reversed(copies):
            if dst in found:
                found.add(src)
        return found

    def _cost(self, web: _Web) -> float:
        """A load or store counts twice a move. What is passed in a certain register is moved there in any case."""
        total = 0.01 + 2 * len(web.members.intersection(self.fn.params))
        for write in web.writes:
            total += 2 * self.often[write.edge[0]]
        for v in web.members:
            loaded = set()
            for at, must in [use for part in self.parts[v] for use in part.uses]:
                block = self._block_of(at)
                if at & 3:  # defined; or passed on an edge, where `must` is not set
                    total += 2 * self.often[block] if must else 0
                elif not must:
                    total += self.often[block]
                elif block not in loaded:
                    total += 2 * self.often[block]
                    loaded.add(block)
        return total


def _worth(useful: tuple[float, _Web]) -> float:
    return useful[0]


def _add(excess: list[int], ranges: Ranges, change: int) -> None:
    for start, end in ranges:
        for at in range(start, end):
            excess[at] += change


def _joined(first: Ranges, second: Ranges) -> Ranges | None:
    """Both; None if they have a position in common."""
    found: Ranges = []
    for start, end in sorted([*first, *second]):
        if found and start < found[-1][1]:
            return None
        if found and start == found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found
