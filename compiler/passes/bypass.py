"""Leads control past what can't matter any more.

    @a:                                          @a:
      br ugt %end1, %end, @b, @got                 br ugt %end1, %end, @lost, @got
    @got:                                        @got:
      jump @b                                      jump @b
    @b:                                          @b:
      %h = phi @a: 0, @got: %data                  ...
      ...                                        @lost:
      br ugt %end2, %end, @d, @more          =>    ret 2
    @more:
      jump @d
    @d:
      br eq %h, 0, @lost, @use
    @lost:
      ret 2

`a, b = parse(A), parse(B)` and then `if a is None or b is None`: where the first is missing, the second is looked for
though nobody will use it, and the verifier walks both ways, of each of several. From an edge on which a phi becomes a
constant, ways are followed through blocks without effects; where all of them end in the same block, with the same
values for its phis, the edge leads there at once. Loops are left alone: the header of one is never walked through.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.ir.function import Block
from pybpf.compiler.ir.ops import Branch, Const, Guard, Jump, Load, Phi
from pybpf.compiler.passes.cfg import prune, redirect_to_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

BLOCKS = 32  # at most so many are walked through from an edge
STEPS = 96  # and at most so many times, as ways that meet are walked again
ROUNDS = 4  # what was redirected changes what can be seen from other edges

End = tuple[Block, "tuple[Value, ...]"]  # where ways end, and the values of its phis there


def run(function: Function) -> bool:
    """Redirect edges until none is left, or ROUNDS times over."""
    for done in range(ROUNDS):
        if not _round(function):
            return done > 0
    return True


def _round(function: Function) -> bool:
    """Look at each edge once.

    What is known of the function stays good enough while edges are redirected: no block is reached that was not
    before, and no value is used by others, but by the phis at the end.
    """
    edges = {block: sources for block in function.blocks if (sources := _decided(block))}
    if not edges:
        return False
    known = _Known(function)
    changed = False
    for block in known.tree.order[1:]:
        if block not in edges:
            continue
        for source in known.tree.predecessors[block]:
            if source not in edges[block] or block not in source.successors():
                continue
            end = _end(known, block, source)
            if end is not None:
                redirect_to_new(function, source, block, end[0], end[1])
                known.used_by(source, end[1])
                changed = True
    if changed:
        prune(function)
    return changed


def _end(known: _Known, block: Block, source: Block) -> End | None:
    """Where the edge may lead instead of to `block`; None if to no other place."""
    needed: set[Block] = set()
    while True:
        walk = _Walk(known, needed)
        end = walk.outcome(block, source, {})
        if end is None or end[0] is block:
            return None
        missed = walk.missed(*end)
        if not missed:
            return end
        needed |= missed  # so it leads to one of these at most


class _Known:
    """What walks ask of the function, worked out when they do."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.tree = dominators(function)
        self.number = {block: number for number, block in enumerate(self.tree.order)}
        self._idle: dict[Block, bool] = {}
        self._users: dict[Value, list[Block]] | None = None
        self._behind: list[int] = []

    def idle(self, block: Block) -> bool:
        """Nothing happens in the block, and it is no loop's header."""
        found = self._idle.get(block)
        if found is None:
            tree = self.tree
            before = tree.predecessors.get(block, ())
            header = any([p in tree.first and tree.dominates(block, p) for p in before])
            found = self._idle[block] = not header and _quiet(block)
        return found

    def users(self, value: Value) -> list[Block]:
        """The blocks that use it; a phi does so at the end of the block that it comes from."""
        if self._users is None:
            self._users = {}
            for block in self.function.blocks:
                for op in block.ops:
                    if type(op) is Phi:
                        for source, each in op.incoming:
                            self.used_by(source, (each,))
                    else:
                        self.used_by(block, op.args())
        return self._users.get(value, [])

    def used_by(self, block: Block, values: Sequence[Value]) -> None:
        """The block uses these values, too."""
        if self._users is not None:
            for value in values:
                self._users.setdefault(value, []).append(block)

    def reaches(self, start: Block, blocks: set[Block]) -> set[Block]:
        """Those of the blocks that control may get to from `start`."""
        if not self._behind:
            self._behind = self._loops()
        last = max([self._behind[self.number[block]] for block in blocks if block in self.number], default=-1)
        found, seen, waiting = set(), {start}, [start]
        while waiting:
            block = waiting.pop()
            if block in blocks:
                found.add(block)
            for target in block.successors():
                if target not in seen and self.number.get(target, 0) <= last:
                    seen.add(target)
                    waiting.append(target)
        return found

    def _loops(self) -> list[int]:
        """For each block, by number, the number that a block may have from which control comes back to it."""
        ends = list(range(len(self.number)))
        for block, number in self.number.items():
            for target in block.successors():
                if target in self.number:
                    ends[self.number[target]] = max(ends[self.number[target]], number)
        first = last = 0  # loops that overlap count as one
        for number, end in enumerate(ends):
            if number > last:
                first = number
            last = max(last, end)
            if number == last:
                ends[first : number + 1] = [last] * (number + 1 - first)
        return ends


def _decided(block: Block) -> set[Block]:
    """The blocks from which a phi of this one, where nothing happens, is a constant."""
    if type(block.ops[0]) is not Phi or not _quiet(block):
        return set()
    return {source for phi in block.phis() for source, value in phi.incoming if type(value) is Const}


def _quiet(block: Block) -> bool:
    """It leads on to other blocks, and does nothing else."""
    return type(block.ops[-1]) in (Jump, Branch) and all(
        [op.pure or type(op) in (Load, Guard) for op in block.ops[:-1]]
    )


class _Walk:
    """All that is reached from one edge. Blocks that are `needed` are not walked through."""

    def __init__(self, known: _Known, needed: set[Block]) -> None:
        self.known = known
        self.steps = 0
        self.needed = needed
        self.through: dict[Block, None] = {}
        self.ranges = Ranges()

    def outcome(self, block: Block, source: Block, values: dict[Value, Value]) -> End | None:
        """Where control that comes from `source` always gets to; None if that takes too long to tell."""
        phis = block.phis()
        arriving = tuple([values.get(v, v) for v in [_incoming(phi, source) for phi in phis]])
        here: End = (block, arriving)
        self.steps += 1
        if len(self.through) >= BLOCKS or self.steps > STEPS:
            return None
        if block in self.needed or not self.known.idle(block):
            return here
        values = {**values, **dict(zip(phis, arriving))}
        last = block.ops[-1]
        if type(last) is Jump:
            self.through[block] = None
            return self.outcome(last.target, block, values)
        assert type(last) is Branch
        lhs, rhs = values.get(last.lhs, last.lhs), values.get(last.rhs, last.rhs)
        decided = self.ranges.decides(last.pred, lhs, rhs, last.width)
        if decided is not None:
            self.through[block] = None
            return self.outcome(last.then if decided else last.other, block, values)
        before = dict(self.through)
        self.through[block] = None
        then = self.outcome(last.then, block, values)
        if then is not None:
            other = self.outcome(last.other, block, values)
            if other is not None and _same(then, other):
                return then
        self.through = before
        return here

    def missed(self, target: Block, values: tuple[Value, ...]) -> set[Block]:
        """The blocks that were walked past though something of them is needed at the target or later."""
        tree = self.known.tree
        found = {block for block in self.through if not set(values).isdisjoint(block.ops)}
        above = [block for block in self.through if block in tree.first and tree.dominates(block, target)]
        users = {block: {u for op in block.ops for u in self.known.users(op)} for block in above}
        elsewhere = {u for each in users.values() for u in each}
        later = self.known.reaches(target, elsewhere) if elsewhere else set()
        return found | {block for block in above if not users[block].isdisjoint(later)}


def _incoming(phi: Op, source: Block) -> Value:
    assert type(phi) is Phi
    return next(v for b, v in phi.incoming if b is source)


def _same(one: End, two: End) -> bool:
    return one[0] is two[0] and all(
        a is b or (type(a) is Const and type(b) is Const and a.value == b.value) for a, b in zip(one[1], two[1])
    )
