"""What the branches above say: of a test, is it decided already on the way from one block to another, and of a number?

    @entry: br eq %0, 0, @a, @b      on the way from @a to @c, `eq %0, 0` holds and `ugt %0, 3` does not;
    @a:     jump @c                  on the way from @b to @c, `eq %0, 0` does not hold
    @b:     jump @c
    ...
    @d:     br ult %1, 5, @e, @f     in @f, %1 is at least 5; if %1 is at most 15, then %2 = shl %1, 2 is 20 to 60,
                                     and a phi there that has %1 on the way from @f is no larger than 15 on it

A branch says something about all blocks that one of its edges dominates: of what was compared with a constant, in which
range it is, and so of what is computed from it; other comparisons must be the same, or the opposite, of what the branch
compared. An address that was found to lie in front of the packet's end has all smaller ones in front of it, too.

As in ranges.py, no more is taken for granted than the verifier sees: it follows the same branches (reg_set_min_max in
kernel/bpf/verifier.c), but does not learn from `!=`. Nor does it go back to what was computed before a branch: where
%1 is known to be 0, it knows nothing new of a `%2 = shl %1, 2` above. So a value has the range that its operands have
in its own block, and what tests say of itself.
"""

from __future__ import annotations

from pybpf.compiler.analysis.ranges import HALF, MASK32, TOP, Ranges, decide, narrowed
from pybpf.compiler.ir.arith import MASK64
from pybpf.compiler.ir.ops import NEGATED, SWAPPED, Branch, Const, Guard, PtrAdd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.analysis.dominators import Dominators
    from pybpf.compiler.analysis.ranges import Known
    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.ir.ops import Phi, Value

__all__ = ["Facts"]

BRANCHES = 12  # tests above a block that are looked at
DEPTH = 16  # how far back operands are followed

Test = tuple[str, "Value", "Value", int]  # pred, lhs, rhs, width


class Facts:
    """Answers for one function, from its dominator tree."""

    def __init__(self, tree: Dominators, ranges: Ranges) -> None:
        self.tree = tree
        self.ranges = ranges
        self._tests: dict[Block, list[Test]] = {}
        self._ranges: dict[tuple[Block, Block | None], _Here] = {}
        self._blocks: dict[Value, Block] = {}

    def decides(self, test: Test, block: Block, to: Block | None = None) -> bool | None:
        """Whether the test holds at the end of the block, or on its edge to the block `to`; None if that is open."""
        pred, lhs, rhs, width = test
        for fact in self.above(block, to):
            same = _follows(fact, test)
            if same is not None:
                return same
        if lhs.kind != "int" or rhs.kind != "int" or pred == "set":
            return None
        here = self.here(block, to)
        return decide(pred, here.of(lhs, DEPTH), here.of(rhs, DEPTH), width)

    def of(self, value: Value, block: Block) -> Known:
        """(low, high, mask) of the value at the end of the block."""
        return self.here(block, None).of(value, DEPTH)

    def here(self, block: Block, to: Block | None) -> _Here:
        found = self._ranges.get((block, to))
        if found is None:
            found = self._ranges[block, to] = _Here(self, block, to)
        return found

    def block_of(self, value: Value) -> Block | None:
        """Where the value is computed; None if the operation is newer than these facts."""
        if not self._blocks:
            self._blocks = {op: block for block in self.tree.order for op in block.ops}
        return self._blocks.get(value)

    def above(self, block: Block, to: Block | None) -> list[Test]:
        """Tests that hold there, nearest first."""
        found: list[Test] = []
        last = block.ops[-1]
        if type(last) is Branch and to is not None:
            _add(found, last, to)
        return found + self._at(block) if found else self._at(block)

    def _at(self, block: Block) -> list[Test]:
        """Tests that hold in the block, from the nearest branches above it."""
        below: list[Block] = []
        tree = self.tree
        while block not in self._tests:
            below.append(block)
            if tree.parent[block] is block:
                break
            block = tree.parent[block]
        tests = self._tests.get(block, [])
        for here in reversed(below):
            above = tree.parent[here]
            last = above.ops[-1]
            if type(last) is Branch and above is not here:
                found: list[Test] = []
                for target in (last.then, last.other):
                    if len(tree.predecessors[target]) == 1 and tree.dominates(target, here):
                        _add(found, last, target)
                tests = (found + tests)[:BRANCHES]
            self._tests[here] = tests
        return tests


class _Here(Ranges):
    """The ranges of values at the end of a block, or on an edge."""

    def __init__(self, facts: Facts, block: Block, to: Block | None) -> None:
        super().__init__()
        self.facts = facts
        self.block = block
        self.to = to
        self.tests = [fact for fact in facts.above(block, to) if fact[1].kind == "int" and type(fact[2]) is Const]

    def of(self, value: Value, depth: int = DEPTH) -> Known:
        """(low, high, mask) of the value."""
        if type(value) is Const or value in self._known or not self.tests:
            return super().of(value, depth)
        known = self.computed(value, depth)
        same = _unguarded(value)
        waiting: tuple[str, int] | None = None  # the largest value of what may be negative
        for pred, _, bound, width in reversed([fact for fact in self.tests if _unguarded(fact[1]) is same]):
            assert type(bound) is Const
            limit = bound.value & (MASK64 if width == 64 else MASK32)
            if pred[0] == "s" and width == 64:
                if pred in ("slt", "sle") and known[1] >= HALF:
                    waiting = pred, limit
                    continue
                known = narrowed(known, pred, limit)
                if waiting is not None and known[1] < HALF:
                    known, waiting = narrowed(known, *waiting), None
            elif pred[0] != "s" and (width == 64 or self.facts.ranges.of(value)[1] <= MASK32):
                known = narrowed(known, pred, limit)
                waiting = None  # the verifier forgets it here
        self._known[value] = known
        return known

    def computed(self, value: Value, depth: int) -> Known:
        """The same, as it was when the value was computed."""
        block = self.facts.block_of(value)
        if block is self.block and self.to is None:
            return super().of(value, depth)
        return self.facts.ranges.of(value, depth) if block is None else self.facts.here(block, None).of(value, depth)

    def on_way(self, phi: Phi, source: Block, value: Value, depth: int) -> Known:
        """(low, high, mask) of a value where control comes from a block to the phi."""
        to = self.facts.block_of(phi)
        if to is None or source not in self.facts.tree.first or self.facts.tree.dominates(to, source):
            return TOP  # of what goes around a loop nothing is known
        return self.facts.here(source, to).of(value, depth)


def _unguarded(value: Value) -> Value:
    while type(value) is Guard and value.kind == "int":
        value = value.value
    return value


def _add(found: list[Test], last: Branch, to: Block) -> None:
    pred: str | None = last.pred if last.then is to else NEGATED.get(last.pred)
    if pred is not None:
        found.append((pred, last.lhs, last.rhs, last.width))


def _follows(fact: Test, test: Test) -> bool | None:
    """Whether the test holds, going by one fact about the same two values."""
    pred, lhs, rhs, width = fact
    if width != test[3]:
        return None
    if lhs.kind == "ptr" and test[1].kind == "ptr" and _base(rhs)[0] is _base(test[2])[0]:
        farther = _farther(fact, test)
        if farther is not None:
            return farther
    if not (_same(lhs, test[1]) and _same(rhs, test[2])):
        if not (_same(lhs, test[2]) and _same(rhs, test[1])):
            return None
        pred = SWAPPED[pred]
    if test[0] == pred:
        return True
    return False if NEGATED.get(pred) == test[0] else None


def _farther(fact: Test, test: Test) -> bool | None:
    """The same for two addresses, each compared with the packet's end: who is not farther along is in front of it."""
    (base, offset), (other, wanted) = _base(fact[1]), _base(test[1])
    (_, end), (_, other_end) = _base(fact[2]), _base(test[2])
    if base is not other or end != other_end or type(fact[2]) is Const:
        return None
    if fact[0] not in ("ule", "ult") or wanted > offset:
        return None
    if test[0] in ("ule", "ugt"):
        return test[0] == "ule"
    if test[0] in ("ult", "uge") and (wanted < offset or fact[0] == "ult"):
        return test[0] == "ult"
    return None


def _base(addr: Value) -> tuple[Value, int]:
    """What a constant number of bytes is added to, and how many; a guard is what it guards."""
    offset = 0
    while True:
        if type(addr) is Guard:
            addr = addr.value
        elif type(addr) is PtrAdd and type(addr.offset) is Const:
            offset += addr.offset.value
            addr = addr.base
        else:
            return addr, offset


def _same(a: Value, b: Value) -> bool:
    return a is b or (type(a) is Const and type(b) is Const and a.value == b.value)
