"""Makes one of pieces of code that are the same.

    @a:                                          @a:
      %1: ptr = call lookup(%map, %key)            %1: ptr = call lookup(%map, %key)
      br eq %1, 0, @none, @a2                      br eq %1, 0, @none, @a2
    @a2:                                         @a2:
      atomic add [%1+0], 1                         atomic add [%1+0], 1
      jump @done                          =>       jump @done
    @b:
      %2: ptr = call lookup(%map, %key)          (what led to @b leads to @a)
      br eq %2, 0, @none, @b2
    @b2:
      atomic add [%2+0], 1
      jump @done

A function that is inlined at several places, in the same words with the same arguments, is one piece of code again. Two
pieces are the same if they do the same with the same values, and go on at the same places with the same values for the
phis there. What a piece computes must not be needed behind it.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.analysis.uses import uses
from pybpf.compiler.ir.function import Block
from pybpf.compiler.ir.ops import Const, Guard, Jump, Phi, Value
from pybpf.compiler.passes.cfg import retarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.analysis.dominators import Dominators
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op

__all__ = ["run"]

LEAST = 3  # operations: a jump to fewer costs as much
_NO_MEANING = ("name", "span")


def run(function: Function) -> bool:
    """Compare the blocks that begin alike, the earlier first, so that large pieces are found before their parts."""
    groups: dict[tuple[type, ...], list[Block]] = {}
    for block in function.blocks[1:]:
        if not block.phis():
            groups.setdefault(tuple([type(op) for op in block.ops]), []).append(block)
    changed = False
    tree: Dominators | None = None
    for group in groups.values():
        if len(group) > 1:
            tree = tree or dominators(function)
            if _merge(function, group, tree):
                changed, tree = True, None
    return changed


def _merge(function: Function, group: list[Block], tree: Dominators) -> bool:
    alive = set(function.blocks)
    before = tree.predecessors
    headers = {b for b in group if any(p in tree.first and tree.dominates(b, p) for p in tree.predecessors.get(b, ()))}
    kept: list[Block] = []
    changed = False
    for block in group:
        if block not in alive or block in headers or block not in tree.first:
            continue
        for other in kept:
            piece = _Piece(function, before)
            if other in alive and piece.same(other, block) and piece.can_go():
                alive -= piece.go(other, block)
                before = function.predecessors()
                changed = True
                break
        else:
            kept.append(block)
    return changed


class _Piece:
    """A piece that is compared with an earlier one. `values` and `blocks` are what stands for what: new -> earlier."""

    def __init__(self, function: Function, before: dict[Block, list[Block]]) -> None:
        self.function = function
        self.before = before
        self.values: dict[Value, Value] = {}
        self.blocks: dict[Block, Block] = {}
        self.ends: list[tuple[Block, Block]] = []  # (a block of the piece, where control goes on from it)

    def same(self, one: Block, two: Block) -> bool:
        """Whether `two`, and what only it leads to, does what `one` does."""
        if len(one.ops) != len(two.ops) or one.phis() or two.phis() or two in self.blocks.values():
            return False
        self.blocks[two] = one
        for a, b in zip(one.ops, two.ops):
            if type(a) is not type(b) or not self._same_op(a, b):
                return False
            self.values[b] = a
        for here, there in zip(one.successors(), two.successors()):
            if here is there:
                if not all(self._same_value(_incoming(phi, one), _incoming(phi, two)) for phi in here.phis()):
                    return False
                self.ends.append((two, there))
            elif len(self.before[here]) != 1 or len(self.before[there]) != 1 or not self.same(here, there):
                return False
        return True

    def _same_op(self, a: Op, b: Op) -> bool:
        if type(a) is Guard and a.value not in self.values.values():
            return False  # what was checked in front of one piece need not be what was in front of the other
        return all(
            self._same_field(getattr(a, field), getattr(b, field))
            for field in type(a)._fields
            if field not in _NO_MEANING
        )

    def _same_field(self, a: Any, b: Any) -> bool:
        if isinstance(a, Block):
            return isinstance(b, Block)  # looked at with the successors
        if isinstance(a, Value):
            return isinstance(b, Value) and self._same_value(a, b)
        if isinstance(a, (list, tuple)):
            return type(a) is type(b) and len(a) == len(b) and all(self._same_field(x, y) for x, y in zip(a, b))
        return bool(a == b)

    def _same_value(self, a: Value, b: Value) -> bool:
        if type(a) is Const and type(b) is Const:
            return a.value == b.value and a.kind == b.kind
        return self.values.get(b, b) is a

    def can_go(self) -> bool:
        """The piece is worth it, and nothing behind it needs its values, but for the phis that were compared."""
        if sum(len(block.ops) for block in self.blocks) < LEAST:
            return False
        inside = {op for block in self.blocks for op in block.ops}
        ends = {target for _, target in self.ends}
        allowed = {phi for target in ends for phi in target.phis()}
        used = uses(self.function)
        return all(user in inside or user in allowed for op in inside for user in used.get(op, ()))

    def go(self, one: Block, two: Block) -> set[Block]:
        """Lead all ways to `one`; the blocks that go."""
        gone = set(self.blocks)
        for source in self.before[two]:
            retarget(source, two, one)
            if len(set(source.successors())) == 1:
                source.ops[-1] = Jump(one, source.ops[-1].span)
        for block, target in self.ends:
            for phi in target.phis():
                phi.incoming = [(b, v) for b, v in phi.incoming if b is not block]
        self.function.blocks = [block for block in self.function.blocks if block not in gone]
        return gone


def _incoming(phi: Op, source: Block) -> Value:
    assert type(phi) is Phi
    return next(v for b, v in phi.incoming if b is source)
