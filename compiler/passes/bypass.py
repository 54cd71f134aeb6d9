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
    from pybpf.compiler.analysis.dominators import Dominators
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

BLOCKS = 32  # at most so many are walked through from an edge
STEPS = 96  # and at most so many times, as ways that meet are walked again
EDGES = 64  # in one run; each changes what can be seen from the others

End = tuple[Block, "tuple[Value, ...]"]  # where ways end, and the values of its phis there


def run(function: Function) -> bool:
    """Redirect edges one after the other, until there is none."""
    changed = False
    for _ in range(EDGES):
        if not _once(function):
            return changed
        changed = True
    return changed


def _once(function: Function) -> bool:
    edges = {block: sources for block in function.blocks if (sources := _decided(block))}
    if not edges:
        return False
    tree = dominators(function)
    users: dict[Value, list[Block]] | None = None
    idle: dict[Block, bool] = {}
    for block in tree.order[1:]:
        if block not in edges:
            continue
        for source in tree.predecessors[block]:
            if source not in edges[block]:
                continue
            if users is None:
                users = _users(function)
            end = _end(tree, idle, block, source, users)
            if end is None:
                continue
            redirect_to_new(function, source, block, end[0], end[1])
            prune(function)
            return True
    return False


def _end(
    tree: Dominators, idle: dict[Block, bool], block: Block, source: Block, users: dict[Value, list[Block]]
) -> End | None:
    """Where the edge may lead instead of to `block`; None if to no other place."""
    needed: set[Block] = set()
    while True:
        walk = _Walk(tree, idle, needed)
        end = walk.outcome(block, source, {})
        if end is None or end[0] is block:
            return None
        missed = walk.missed(*end, users)
        if not missed:
            return end
        needed |= missed  # so it leads to one of these at most


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

    def __init__(self, tree: Dominators, idle: dict[Block, bool], needed: set[Block]) -> None:
        self.tree = tree
        self.idle = idle  # what is known of blocks so far
        self.steps = 0
        self.needed = needed
        self.through: dict[Block, None] = {}
        self.ranges = Ranges()

    def outcome(self, block: Block, source: Block, known: dict[Value, Value]) -> End | None:
        """Where control that comes from `source` always gets to; None if that takes too long to tell."""
        phis = block.phis()
        values = tuple([known.get(v, v) for v in [_incoming(phi, source) for phi in phis]])
        here: End = (block, values)
        self.steps += 1
        if len(self.through) >= BLOCKS or self.steps > STEPS:
            return None
        if not self._idle(block):
            return here
        known = {**known, **dict(zip(phis, values))}
        last = block.ops[-1]
        if type(last) is Jump:
            self.through[block] = None
            return self.outcome(last.target, block, known)
        assert type(last) is Branch
        lhs, rhs = known.get(last.lhs, last.lhs), known.get(last.rhs, last.rhs)
        decided = self.ranges.decides(last.pred, lhs, rhs, last.width)
        if decided is not None:
            self.through[block] = None
            return self.outcome(last.then if decided else last.other, block, known)
        before = dict(self.through)
        self.through[block] = None
        then = self.outcome(last.then, block, known)
        if then is not None:
            other = self.outcome(last.other, block, known)
            if other is not None and _same(then, other):
                return then
        self.through = before
        return here

    def _idle(self, block: Block) -> bool:
        """Nothing happens in it, and it is no loop's header."""
        if block in self.needed:
            return False
        found = self.idle.get(block)
        if found is None:
            tree = self.tree
            header = any([p in tree.first and tree.dominates(block, p) for p in tree.predecessors[block]])
            found = self.idle[block] = not header and _quiet(block)
        return found

    def missed(self, target: Block, values: tuple[Value, ...], users: dict[Value, list[Block]]) -> set[Block]:
        """The blocks that were walked past though something of them is needed at the target or later."""
        found = {block for block in self.through if not set(values).isdisjoint(block.ops)}
        above = [block for block in self.through if self.tree.dominates(block, target)]
        later = _reach(target) if above else set()
        return found | {block for block in above if any(u in later for op in block.ops for u in users.get(op, ()))}


def _incoming(phi: Op, source: Block) -> Value:
    assert type(phi) is Phi
    return next(v for b, v in phi.incoming if b is source)


def _same(one: End, two: End) -> bool:
    return one[0] is two[0] and all(
        a is b or (type(a) is Const and type(b) is Const and a.value == b.value) for a, b in zip(one[1], two[1])
    )


def _users(function: Function) -> dict[Value, list[Block]]:
    """The blocks that use each value; a phi does so at the end of the block that it comes from."""
    found: dict[Value, list[Block]] = {}
    for block in function.blocks:
        for op in block.ops:
            if type(op) is Phi:
                for source, value in op.incoming:
                    found.setdefault(value, []).append(source)
            else:
                for value in op.args():
                    found.setdefault(value, []).append(block)
    return found


def _reach(block: Block) -> set[Block]:
    """The block, and all that control may get to from there."""
    seen, waiting = {block}, [block]
    while waiting:
        for target in waiting.pop().successors():
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen
