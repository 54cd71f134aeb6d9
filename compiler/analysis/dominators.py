"""Dominators of the blocks of a function: `dominators(function)` in, `Dominators` out.

The algorithm is Cooper, Harvey and Kennedy's ("A Simple, Fast Dominance Algorithm", 2001): immediate dominators by
iteration over reverse postorder. Blocks that the entry doesn't reach are in none of the results.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block, Function

__all__ = ["Dominators", "dominators"]


class Dominators(Record, eq=False):
    """`order` is reverse postorder. `parent` is the immediate dominator (the entry is its own).

    `children` is the dominator tree; `first` and `last` number it in depth-first order, so that a block dominates
    another exactly when it encloses it.
    """

    order: list[Block]
    predecessors: dict[Block, list[Block]]
    parent: dict[Block, Block]
    children: dict[Block, list[Block]]
    first: dict[Block, int]
    last: dict[Block, int]

    def dominates(self, above: Block, below: Block) -> bool:
        """Every way from the entry to `below` leads through `above`. A block dominates itself."""
        return self.first[above] <= self.first[below] <= self.last[above]

    def frontiers(self) -> dict[Block, list[Block]]:
        """For each block, the blocks where its dominance ends: those with a predecessor that it dominates."""
        found: dict[Block, list[Block]] = {block: [] for block in self.order}
        for block in self.order:
            if len(self.predecessors[block]) < 2:
                continue
            for runner in self.predecessors[block]:
                if runner not in self.first:
                    continue
                while runner is not self.parent[block]:
                    if block not in found[runner]:
                        found[runner].append(block)
                    runner = self.parent[runner]
                    if runner is self.parent[runner]:
                        break
        return found


# The function asked for last, its blocks with where they lead, and the answer: most passes change no edge.
_last: tuple[Function | None, list[list[Block]], Dominators | None] = (None, [], None)


def dominators(function: Function) -> Dominators:
    """The dominator tree. It is not to be changed: who asks next may get the same."""
    global _last
    shape = [[block, *block.ops[-1].targets()] for block in function.blocks]
    known, was, found = _last
    if found is None or known is not function or was != shape:
        found = _dominators(function)
        _last = (function, shape, found)
    return found


def _dominators(function: Function) -> Dominators:
    order = function.reverse_postorder()
    number = {block: n for n, block in enumerate(order)}
    predecessors = function.predecessors()
    before = [[number[p] for p in predecessors[block] if p in number] for block in order]
    parents = [0] + [-1] * (len(order) - 1)  # by number: dictionaries of blocks would take twice as long
    changed = True
    while changed:
        changed = False
        for n in range(1, len(order)):
            above = -1
            for p in before[n]:
                if parents[p] < 0:
                    continue
                if above < 0:
                    above = p
                    continue
                while above != p:  # walk both up until they meet
                    while p > above:
                        p = parents[p]
                    while above > p:
                        above = parents[above]
            if parents[n] != above:
                parents[n] = above
                changed = True
    below: list[list[int]] = [[] for _ in order]
    for n in range(1, len(order)):
        below[parents[n]].append(n)
    first: dict[Block, int] = {}
    last: dict[Block, int] = {}
    stack = [0]
    while stack:
        n = stack.pop()
        if n < 0:
            last[order[~n]] = len(first) - 1
            continue
        first[order[n]] = len(first)
        if below[n]:
            stack.append(~n)
            stack += below[n][::-1]
        else:
            last[order[n]] = len(first) - 1
    parent = {block: order[parents[n]] for n, block in enumerate(order)}
    children = {block: [order[child] for child in below[n]] for n, block in enumerate(order)}
    return Dominators(order, predecessors, parent, children, first, last)
