"""Makes one of pieces of code that are the same, but for a few numbers.

    @a:                                          @a:
      %1: ptr = slot $0.key                        %9 = phi @x: 1, @y: %0
      store.32 [%1+0], 1                           %1: ptr = slot $0.key
      %2: ptr = call lookup(%map, %1)              store.32 [%1+0], %9
      br eq %2, 0, @none, @a2                      %2: ptr = call lookup(%map, %1)
    @a2:                                           br eq %2, 0, @none, @a2
      atomic add [%2+0], 1                       @a2:
      jump @done                          =>       atomic add [%2+0], 1
    @b:                                            jump @done
      %3: ptr = slot $0.key
      store.32 [%3+0], %0                        (what led to @b leads to @a)
      %4: ptr = call lookup(%map, %3)
      br eq %4, 0, @none, @b2
    @b2:
      atomic add [%4+0], 1
      jump @done

A function that is inlined at several places is one piece of code again. Two pieces are the same if they do the same
with the same values, and go on at the same places with the same values for the phis there. What a piece computes must
not be needed behind it. Numbers that are stored, returned, calculated with or handed on may differ, if the piece is
long enough: they come in by phis. Addresses may not, nor what a helper is called with: the verifier wants to know them.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.analysis.uses import uses
from pybpf.compiler.ir.function import Block
from pybpf.compiler.ir.ops import Atomic, Binary, Const, Guard, Jump, Phi, Return, Store, Value
from pybpf.compiler.passes.cfg import fresh_label, retarget
from pybpf.compiler.schema.record import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.analysis.dominators import Dominators
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op

__all__ = ["run"]

LEAST = 3  # operations: a jump to fewer costs as much
EACH = 3  # so many more for each number that differs: it takes a move on each way, and a register
MOST = 3  # numbers that differ
TRIES = 8  # pieces that one is compared with, so that the time stays linear
_NO_MEANING = ("name", "span")
# Where numbers may differ: operations, and the fields that hold them.
_OPEN: dict[type, tuple[str, ...]] = {
    Store: ("value",), Atomic: ("value",), Return: ("value",), Binary: ("lhs", "rhs"),
}  # fmt: skip


def run(function: Function) -> bool:
    """Compare the blocks that begin alike, the earlier first, so that large pieces are found before their parts."""
    groups: dict[tuple[object, ...], list[Block]] = {}
    for block in function.blocks[1:]:
        groups.setdefault(_shape(block), []).append(block)
    changed = False
    tree: Dominators | None = None
    for group in groups.values():
        if len(group) > 1:
            tree = tree or dominators(function)
            if _merge(function, group, tree):
                changed, tree = True, None
    return changed


def _fields_to_compare(kind: type[Op]) -> list[str]:
    return [field for field in fields(kind) if field not in _NO_MEANING and field not in _OPEN.get(kind, ())]


_compared: dict[type, list[str]] = {}


def _shape(block: Block) -> tuple[object, ...]:
    """What is equal of blocks that begin pieces that are the same."""
    found: list[object] = []
    place: dict[object, int] = {}
    for op in block.ops:
        kind = type(op)
        if kind is Phi:
            continue
        found.append(kind)
        for field in _compared.get(kind) or _compared.setdefault(kind, _fields_to_compare(kind)):
            value = getattr(op, field)
            for each in value if type(value) is list else (value,):
                if type(each) is Const:
                    found.append(each.value)
                elif isinstance(each, Value):
                    found.append(place.get(each, each))
                elif isinstance(each, (str, int)):
                    found.append(each)
        place[op] = -1 - len(place)
    return tuple(found)


def _merge(function: Function, group: list[Block], tree: Dominators) -> bool:
    alive = set(function.blocks)
    before = tree.predecessors
    headers = {b for b in group if any(p in tree.first and tree.dominates(b, p) for p in tree.predecessors.get(b, ()))}
    kept: list[Block] = []
    changed = False
    for block in group:
        if block not in alive or block in headers or block not in tree.first:
            continue
        for other in kept[-TRIES:]:
            if other not in alive:
                continue
            piece = _Piece(function, before, other, block)
            if piece.same(other, block) and piece.can_go():
                alive -= piece.go()
                before = function.predecessors()
                changed = True
                break
        else:
            kept.append(block)
    return changed


class _Piece:
    """A piece, that begins with the block `two`, and is compared with an earlier one, that begins with `one`.

    `values` and `blocks` are what stands for what: new -> earlier.
    """

    def __init__(self, function: Function, before: dict[Block, list[Block]], one: Block, two: Block) -> None:
        self.function = function
        self.one, self.two = one, two
        self.before = before
        self.values: dict[Value, Value] = {}
        self.blocks: dict[Block, Block] = {}
        self.ends: list[tuple[Block, Block]] = []  # (a block of the piece, where control goes on from it)
        # Numbers that differ, and where the earlier piece has them: operation and field, or phi behind it and block.
        self.differ: dict[tuple[object, object], tuple[Value, Value, list[tuple[Op, str | Block]]]] = {}

    def same(self, one: Block, two: Block) -> bool:
        """Whether `two`, and what only it leads to, does what `one` does."""
        ops, others = one.ops, two.ops
        if one is self.one:  # the phis there are what may differ
            ops, others = ops[len(one.phis()) :], others[len(two.phis()) :]
        if len(ops) != len(others) or two in self.blocks.values() or type(ops[0]) is Phi or type(others[0]) is Phi:
            return False
        self.blocks[two] = one
        for a, b in zip(ops, others):
            if type(a) is not type(b) or not self._same_op(a, b):
                return False
            self.values[b] = a
        for here, there in zip(one.successors(), two.successors()):
            if here is there:
                for phi in here.phis():
                    x, y = _incoming(phi, one), _incoming(phi, two)
                    if not self._same_value(x, y) and not self._may_differ(x, y, phi, one):
                        return False
                self.ends.append((two, there))
            elif len(self.before[here]) != 1 or len(self.before[there]) != 1 or not self.same(here, there):
                return False
        return True

    def _same_op(self, a: Op, b: Op) -> bool:
        if type(a) is Guard and a.value not in self.values.values():
            return False  # what was checked in front of one piece need not be what was in front of the other
        may_differ = _OPEN.get(type(a), ())
        for field in type(a)._fields:
            if field in _NO_MEANING:
                continue
            x, y = getattr(a, field), getattr(b, field)
            if not self._same_field(x, y) and not (field in may_differ and self._may_differ(x, y, a, field)):
                return False
        return True

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
        return self.values.get(b, b) is a and a not in self.one.phis()

    def _may_differ(self, a: Value, b: Value, user: Op, where: str | Block) -> bool:
        """Note that the pieces have different numbers there, if both come from outside."""
        if a.kind != "int" or b.kind != "int" or b in self.values or a in self.values.values():
            return False
        key = (_named(a), _named(b))
        self.differ.setdefault(key, (a, b, []))[2].append((user, where))
        return len(self.differ) <= MOST

    def can_go(self) -> bool:
        """The piece is worth it, and nothing behind it needs its values, but for the phis that were compared."""
        length = sum(len(block.ops) for block in self.blocks) - len(self.two.phis())
        if length < LEAST + EACH * len(self.differ):
            return False
        inside = {op for block in self.blocks for op in block.ops}
        ends = {target for _, target in self.ends}
        allowed = {phi for target in ends for phi in target.phis()}
        used = uses(self.function)
        if not all(user in inside or user in allowed for op in inside for user in used.get(op, ())):
            return False
        phis = self.one.phis()
        if not phis and not self.differ:
            return not self.two.phis()
        earlier = {op for block in self.blocks.values() for op in block.ops}
        needed = {op for phi in phis for op in used.get(phi, ())}
        places = {user for _, _, users in self.differ.values() for user, _ in users}
        return (
            needed <= earlier | allowed
            and needed <= places
            and self.two not in _reach(self.one)
            and self.one not in _reach(self.two)
        )

    def go(self) -> set[Block]:
        """Lead all ways to the earlier piece; the blocks that go."""
        one, two = self.one, self.two
        gone = set(self.blocks)
        if self.differ or one.phis():
            self._part()
        made: list[Op] = []
        for a, b, users in self.differ.values():
            ways = [(block, _on_way(a, one, block)) for block in self.before[one]]
            ways += [(block, _on_way(b, two, block)) for block in self.before[two]]
            phi = Phi(ways, "int", a.name or b.name, users[0][0].span)
            made.append(phi)
            for user, where in users:
                if isinstance(where, Block):
                    assert type(user) is Phi
                    user.incoming = [(block, phi if block is where else v) for block, v in user.incoming]
                else:
                    setattr(user, where, phi)
        one.ops[: len(one.phis())] = made
        for source in self.before[two]:
            retarget(source, two, one)
            if len(set(source.successors())) == 1:
                source.ops[-1] = Jump(one, source.ops[-1].span)
        for block, target in self.ends:
            for phi in target.phis():
                phi.incoming = [(b, v) for b, v in phi.incoming if b is not block]
        self.function.blocks = [block for block in self.function.blocks if block not in gone]
        return gone

    def _part(self) -> None:
        """Give the edges of a block that leads to both pieces a block each, so that they can bring other values."""
        labels = {block.label for block in self.function.blocks}
        for source in self.before[self.two]:
            if source not in self.before[self.one]:
                continue
            way = Block(fresh_label(self.two.label, labels), [Jump(self.two, source.ops[-1].span)])
            self.function.blocks.insert(self.function.blocks.index(source) + 1, way)
            retarget(source, self.two, way)
            for phi in self.two.phis():
                phi.incoming = [(way if block is source else block, value) for block, value in phi.incoming]
        self.before = self.function.predecessors()


def _named(value: Value) -> object:
    return ("constant", value.value) if type(value) is Const else value


def _on_way(value: Value, block: Block, source: Block) -> Value:
    """The value where control comes to the block from there."""
    return _incoming(value, source) if type(value) is Phi and value in block.phis() else value


def _reach(block: Block) -> set[Block]:
    """All that control may get to from the block."""
    seen: set[Block] = set()
    waiting = [block]
    while waiting:
        for target in waiting.pop().successors():
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def _incoming(phi: Op, source: Block) -> Value:
    assert type(phi) is Phi
    return next(v for b, v in phi.incoming if b is source)
