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


def dominators(function: Function) -> Dominators:
    """The dominator tree."""
    order = function.reverse_postorder()
    number = {block: n for n, block in enumerate(order)}
    predecessors = function.predecessors()
    parent = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for block in order[1:]:
            above: Block | None = None
            for p in predecessors[block]:
                if p not in parent:
                    continue
                if above is None:
                    above = p
                    continue
                while above is not p:  # walk both up until they meet
                    while number[p] > number[above]:
                        p = parent[p]
                    while number[above] > number[p]:
                        above = parent[above]
            assert above is not None
            if parent.get(block) is not above:
                parent[block] = above
                changed = True
    children: dict[Block, list[Block]] = {block: [] for block in order}
    for block in order[1:]:
        children[parent[block]].append(block)
    first: dict[Block, int] = {}
    last: dict[Block, int] = {}
    stack = [(order[0], False)]
    while stack:
        block, done = stack.pop()
        if done:
            last[block] = len(first) - 1
            continue
        first[block] = len(first)
        stack.append((block, True))
        stack += [(child, False) for child in reversed(children[block])]
    return Dominators(order, predecessors, parent, children, first, last)
