"""Leads control past tests whose outcome the way already tells.

    @a:                                          @a:
      jump @d                                      jump @none
    @b:                                          @b:
      jump @d                                      jump @some
    @d:                                   =>     @none:
      %3 = phi @a: 0, @b: 1                        ret 0
      %4 = phi @a: 0, @b: %1                     @some:
      br ne %3, 0, @some, @none                    ret %1
    @none:
      ret 0
    @some:
      ret %4

A block of phis, a few pure operations and a branch is skipped by each predecessor for which the branch is decided, by
the phis' values of that way or by branches above: Optional ints are pairs (present, value), and the second test of
`present` goes away here. The pure operations are copied onto the way; what later blocks used of the skipped block gets
phis of its own. Headers of loops are left alone, so that loops keep a single entry. A branch that those above it decide
becomes a jump, whatever stands before it.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.analysis.facts import Facts
from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.ir.function import Block
from pybpf.compiler.ir.ops import Branch, Jump, Phi
from pybpf.compiler.passes.cfg import fresh_label, retarget
from pybpf.compiler.passes.ssa import repair
from pybpf.compiler.schema.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.analysis.dominators import Dominators
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

COPIED = 4  # at most so many operations are copied onto a way
ROUNDS = 8  # each may open a way for the next


def run(function: Function) -> bool:
    """Thread all branches that can be, then those that this opened."""
    whole = dominators(function)
    changed = _fold(whole)
    tree = None if changed else whole
    for _ in range(ROUNDS):
        ways = _find(tree or dominators(function))
        if not ways:
            break
        repair(function, _thread(function, ways))
        changed, tree = True, None
    return changed


def _fold(tree: Dominators) -> bool:
    """Make jumps of the branches that are decided whichever way control comes."""
    facts = Facts(tree, Ranges())
    changed = False
    for block in tree.order[1:]:
        last = block.ops[-1]
        if type(last) is not Branch:
            continue
        known = facts.decides((last.pred, last.lhs, last.rhs, last.width), block)
        if known is not None:
            kept, lost = (last.then, last.other) if known else (last.other, last.then)
            block.ops[-1] = Jump(kept, last.span)
            for phi in lost.phis():
                phi.incoming = [(b, v) for b, v in phi.incoming if b is not block]
            changed = True
    return changed


def _find(tree: Dominators) -> list[tuple[Block, Block, Block]]:
    """(predecessor, block, target): ways through `block` that can only go to `target`."""
    found = []
    ranges = Ranges()
    facts = Facts(tree, ranges)
    for block in tree.order[1:]:
        last = block.ops[-1]
        if type(last) is not Branch or len(tree.predecessors[block]) == 1:  # of a single way there, `_fold` knows all
            continue
        count = len(block.phis())
        pure = block.ops[count:-1]
        if len(pure) > COPIED or not all(op.pure for op in pure):
            continue
        if any(tree.dominates(block, p) for p in tree.predecessors[block] if p in tree.first):
            continue
        for source in tree.predecessors[block]:
            if source not in tree.first:
                continue
            values = {phi: _incoming(phi, source) for phi in block.phis()}
            lhs, rhs = (_on_way(v, values, set(pure)) for v in (last.lhs, last.rhs))
            if lhs is None or rhs is None:
                continue
            known = ranges.decides(last.pred, lhs, rhs, last.width)
            if known is None:
                known = facts.decides((last.pred, lhs, rhs, last.width), source, block)
            if known is not None:
                found.append((source, block, last.then if known else last.other))
    return found


def _incoming(phi: Op, source: Block) -> Value:
    assert type(phi) is Phi
    return next(v for b, v in phi.incoming if b is source)


def _on_way(value: Value, values: dict[Phi, Value], pure: set[Op]) -> Value | None:
    """The value of a branch's operand on the way; None if it is not known without computing."""
    if type(value) is Phi:
        return values.get(value, value)
    return None if value in pure else value


def _thread(function: Function, ways: list[tuple[Block, Block, Block]]) -> dict[Value, dict[Block, Value]]:
    """Make a block for each way. Returns the values that now have several definitions: block -> value at its end."""
    labels = {block.label for block in function.blocks}
    made: dict[Block, list[Block]] = {}
    variables: dict[Value, dict[Block, Value]] = {}
    for source, block, target in ways:
        count = len(block.phis())
        here: dict[Value, Value] = {}
        ops: list[Op] = []
        for phi in block.phis():
            ops.append(Phi([(source, _incoming(phi, source))], phi.kind, phi.name, phi.span))
            here[phi] = ops[-1]
            phi.incoming = [(b, v) for b, v in phi.incoming if b is not source]
        for op in block.ops[count:-1]:
            copy = replace(op)
            _rename(copy, here)
            ops.append(copy)
            here[op] = copy
        way = Block(fresh_label(block.label, labels), [*ops, Jump(target, block.ops[-1].span)])
        made.setdefault(block, []).append(way)
        retarget(source, block, way)
        for phi in target.phis():
            value = _incoming(phi, block)
            phi.incoming.append((way, here.get(value, value)))
        for value, copied in here.items():
            variables.setdefault(value, {block: value})[way] = copied
    function.blocks = [each for block in function.blocks for each in (block, *reversed(made.get(block, ())))]
    return variables


def _rename(op: Op, new: dict[Value, Value]) -> None:
    op.map_args(lambda value: new.get(value, value))
