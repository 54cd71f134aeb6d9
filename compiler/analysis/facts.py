"""What the branches above say about a test: is it decided already on the way from one block to another?

    @entry: br eq %0, 0, @a, @b      on the way from @a to @c, `eq %0, 0` holds and `ugt %0, 3` does not;
    @a:     jump @c                  on the way from @b to @c, `eq %0, 0` does not hold
    @b:     jump @c

A branch says something about all blocks that one of its edges dominates. Comparisons of an int with constants are
combined; other comparisons must be the same, or the opposite, of what the branch compared.
"""

from __future__ import annotations

from pybpf.compiler.analysis.ranges import TOP, decide, narrowed
from pybpf.compiler.ir.arith import MASK64
from pybpf.compiler.ir.ops import NEGATED, SWAPPED, Branch, Const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.analysis.dominators import Dominators
    from pybpf.compiler.analysis.ranges import Ranges
    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.ir.ops import Value

__all__ = ["Facts"]

BRANCHES = 12  # how many dominators above a block are looked at

Test = tuple[str, "Value", "Value", int]  # pred, lhs, rhs, width


class Facts:
    """Answers for one function, from its dominator tree."""

    def __init__(self, tree: Dominators, ranges: Ranges) -> None:
        self.tree = tree
        self.ranges = ranges

    def decides(self, test: Test, block: Block, to: Block | None = None) -> bool | None:
        """Whether the test holds at the end of the block, or on its edge to the block `to`; None if that is open."""
        _, lhs, rhs, width = test
        bound = rhs.value & MASK64 if type(rhs) is Const and lhs.kind == "int" and width == 64 else None
        known = self.ranges.of(lhs) if bound is not None else TOP
        for fact in self._above(block, to):
            same = _follows(fact, test)
            if same is not None:
                return same
            if bound is not None and fact[1] is lhs and type(fact[2]) is Const and fact[3] == 64:
                known = narrowed(known, fact[0], fact[2].value & MASK64)
        return decide(test[0], known, (bound, bound, bound), 64) if bound is not None else None

    def _above(self, block: Block, to: Block | None) -> list[Test]:
        """Tests that hold there, nearest first."""
        found: list[Test] = []
        last = block.ops[-1]
        if type(last) is Branch and to is not None:
            _add(found, last, to)
        tree = self.tree
        for _ in range(BRANCHES):
            above = tree.parent[block]
            if above is block:
                break
            last = above.ops[-1]
            if type(last) is Branch:
                for target in (last.then, last.other):
                    if len(tree.predecessors[target]) == 1 and tree.dominates(target, block):
                        _add(found, last, target)
            block = above
        return found


def _add(found: list[Test], last: Branch, to: Block) -> None:
    pred: str | None = last.pred if last.then is to else NEGATED.get(last.pred)
    if pred is not None:
        found.append((pred, last.lhs, last.rhs, last.width))


def _follows(fact: Test, test: Test) -> bool | None:
    """Whether the test holds, going by one fact about the same two values."""
    pred, lhs, rhs, width = fact
    if width != test[3]:
        return None
    if not (_same(lhs, test[1]) and _same(rhs, test[2])):
        if not (_same(lhs, test[2]) and _same(rhs, test[1])):
            return None
        pred = SWAPPED[pred]
    if test[0] == pred:
        return True
    return False if NEGATED.get(pred) == test[0] else None


def _same(a: Value, b: Value) -> bool:
    return a is b or (type(a) is Const and type(b) is Const and a.value == b.value)
