"""Makes one copy of a loop's body for each turn, where that is little more code than the loop.

    @entry:                                      @entry:
      jump @body                                   jump @body
    @body:                                       @body:
      %1.i = phi @entry: 0, @body: %4              %1.i = phi @entry: 0
      %2.s = phi @entry: 0, @body: %3              %2.s = phi @entry: 0
      %3 = add %2.s, %1.i                   =>     %3 = add %2.s, %1.i
      %4 = add %1.i, 1                             %4 = add %1.i, 1
      br ult %4, 2, @body, @done                   br ult %4, 2, @body.t0, @done
    @done:                                       @body.t0:
      ret %3                                       %5 = add %3, %4
                                                   %6 = add %4, 1
                                                   br ult %6, 2, @unrolled, @done
                                                 @unrolled:
                                                   unreachable
                                                 @done:
                                                   %7 = phi @body: %3, @body.t0: %5
                                                   ret %7

What depends on the counter alone is then constant: the other passes fold it, and the tests, choices and offsets that it
decides. How many turns there are, and what is left of each, is found by going through the loop with the constants that
are known, as the verifier does: it walks the same turns whether they are unrolled or not. Only innermost loops with one
entry and one way back, and not those that the kernel counts; and only where the counter is used.
"""

from __future__ import annotations

from pybpf.compiler.analysis.loops import loops
from pybpf.compiler.ir import arith, ops
from pybpf.compiler.ir.function import Block
from pybpf.compiler.ir.ops import Branch, Const, Phi, Unreachable
from pybpf.compiler.passes.cfg import fresh_label, prune, retarget
from pybpf.compiler.passes.ssa import repair
from pybpf.compiler.schema.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.analysis.loops import Loop
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

TURNS = 16
BODY = 64  # operations of the largest loop that is looked at
# Operations left of all turns: at most GROWTH times those of the loop, and SPARE more.
GROWTH = 2
SPARE = 16

_FREE = (ops.Phi, ops.Guard, ops.Jump, ops.Hide)
_KEPT = (ops.MayGoto, ops.Asm, ops.CallKernel)  # what counts turns itself, or has labels of its own
_COMPUTED: dict[type[Op], Callable[[Any, list[int]], int]] = {
    ops.Binary: lambda op, v: arith.binary(op.op, v[0], v[1], op.width),
    ops.Extend: lambda op, v: arith.extend(v[0], op.bits, op.signed),
    ops.Swap: lambda op, v: arith.swap(v[0], op.bits),
    ops.Cmp: lambda op, v: int(arith.compare(op.pred, v[0], v[1], op.width)),
}


def run(function: Function) -> bool:
    """Unroll the loops that are worth it."""
    if not _may_loop(function):
        return False
    changed = prune(function)
    found = loops(function)
    around = {loop.parent for loop in found}
    for loop in found:
        if loop not in around and _is_simple(function, loop):
            turns = _turns(function, loop)
            if turns:
                _unroll(function, loop, turns)
                changed = True
    return changed


def _may_loop(function: Function) -> bool:
    """Whether a block goes on at one that stands in front of it, or at itself."""
    position = {block: number for number, block in enumerate(function.blocks)}
    return any(position[t] <= position[block] for block in function.blocks for t in block.successors())


def _is_simple(function: Function, loop: Loop) -> bool:
    body = [op for block in loop.body for op in block.ops]
    if len(loop.latches) != 1 or len(body) > BODY or any(type(op) in _KEPT for op in body):
        return False
    return len(_entries(function, loop)) == 1


def _entries(function: Function, loop: Loop) -> list[Block]:
    return [block for block in function.predecessors()[loop.header] if block not in loop.body]


def _turns(function: Function, loop: Loop) -> int:
    """How often the loop goes round, if that is known and the code for it is little enough; else 0."""
    [entry], [latch] = _entries(function, loop), loop.latches
    weight = sum(_weight(op) for block in loop.body for op in block.ops)
    spent = 0
    known = _incoming(loop.header, entry, {})
    for turn in range(1, TURNS + 1):
        walk = _Walk(loop, known)
        if turn == 1 and not _is_used(loop, walk.known):
            return 0
        spent += walk.weight
        if spent > GROWTH * weight + SPARE:
            return 0
        if (latch, loop.header) not in walk.taken:
            return turn
        known = _incoming(loop.header, latch, walk.known)
    return 0


def _is_used(loop: Loop, known: dict[Value, int]) -> bool:
    """Whether what is known in a turn is good for more than to count the turns.

    Where it is not, the verifier fares no better with copies: it walks the same turns, and where loops lead back it
    keeps the states that it compares later ones with.
    """
    [latch] = loop.latches
    counting: set[Value] = {loop.header.terminator, latch.terminator}
    for phi in loop.header.phis():
        step = next(v for b, v in phi.incoming if b is latch)
        if phi in known and type(step) is ops.Binary and step.lhs is phi and type(step.rhs) is Const:
            counting.add(step)
    return any(
        op not in counting and not known.keys().isdisjoint(op.args())
        for block in loop.body
        for op in block.ops
        if type(op) is not Phi or op not in loop.header.ops
    )


def _incoming(block: Block, source: Block, known: dict[Value, int]) -> dict[Value, int]:
    """The constants among the values that the block's phis have on a way to it."""
    found: dict[Value, int] = {}
    for phi in block.phis():
        value = next(v for b, v in phi.incoming if b is source)
        number = _number(value, known)
        if number is not None:
            found[phi] = number
    return found


def _number(value: Value, known: dict[Value, int]) -> int | None:
    return value.value & arith.MASK64 if type(value) is Const else known.get(value)


def _weight(op: Op) -> int:
    if type(op) in _FREE:
        return 0
    return 1 + len(op.args()) if op.effect else 1


class _Walk:
    """One turn. `known` are the constants in it, `taken` the edges that it may take, `weight` what must be computed."""

    def __init__(self, loop: Loop, known: dict[Value, int]) -> None:
        self.known = dict(known)
        self.taken: set[tuple[Block, Block]] = set()
        self.weight = 0
        for block in loop.body:
            if block is loop.header or any((p, block) in self.taken for p in loop.body):
                self._block(block, block is loop.header)

    def _block(self, block: Block, is_header: bool) -> None:
        for op in block.ops:
            if type(op) is Phi:
                if not is_header:
                    values = {_number(v, self.known) for b, v in op.incoming if (b, block) in self.taken}
                    if len(values) == 1 and None not in values:
                        self.known[op] = values.pop()  # type: ignore[assignment]
                continue
            rule = _COMPUTED.get(type(op))
            if rule is not None or type(op) is Branch:
                numbers = [_number(value, self.known) for value in op.args()]
                if None not in numbers:
                    if rule is not None:
                        self.known[op] = rule(op, numbers)  # type: ignore[arg-type]
                    elif type(op) is Branch:
                        holds = arith.compare(op.pred, numbers[0], numbers[1], op.width)  # type: ignore[arg-type]
                        self.taken.add((block, op.then if holds else op.other))
                        return
                    continue
            self.weight += _weight(op)
        self.taken.update([(block, target) for target in block.successors()])


def _unroll(function: Function, loop: Loop, turns: int) -> None:
    """The loop's blocks are the first turn; the others are copies; the last one does not go back."""
    [entry], [latch] = _entries(function, loop), loop.latches
    header = loop.header
    labels = {block.label for block in function.blocks}
    variables: dict[Value, dict[Block, Value]] = {
        op: {block: op} for block in loop.body for op in block.ops if op.kind != "void"
    }
    back: dict[Value, Value] = {phi: next(v for b, v in phi.incoming if b is latch) for phi in header.phis()}
    ways_out = [(block, target) for block in loop.body for target in block.successors() if target not in loop.body]
    last, values = latch, back  # the end of the turn before, and what the header's phis have after it
    made: list[Block] = []
    links: list[tuple[Block, Block]] = []
    for _ in range(turns - 1):
        blocks, new = _copied(loop, values, labels)
        for block in loop.body:
            for op in block.ops:
                if op in variables:
                    variables[op][blocks[block]] = new[op]
        for block, target in ways_out:
            for phi in target.phis():
                value = next(v for b, v in phi.incoming if b is block)
                phi.incoming.append((blocks[block], new.get(value, value)))
        links.append((last, blocks[header]))
        last, values = blocks[latch], {phi: new.get(value, value) for phi, value in back.items()}
        made += blocks.values()
    end = Block(fresh_label("unrolled", labels), [Unreachable(latch.ops[-1].span)])
    for source, target in [*links, (last, end)]:
        retarget(source, header, target)
    for phi in header.phis():
        phi.incoming = [(b, v) for b, v in phi.incoming if b is entry]
    place = max(function.blocks.index(block) for block in loop.body) + 1
    function.blocks[place:place] = [*made, end]
    repair(function, variables, {*loop.body, *made})


def _copied(loop: Loop, phis: dict[Value, Value], labels: set[str]) -> tuple[dict[Block, Block], dict[Value, Value]]:
    """A copy of the loop's blocks, in which `phis` says what the header's phis are; it goes back to the first header.

    Returns the copies of blocks and of values.
    """
    blocks: dict[Block, Block] = {}
    new = dict(phis)
    for block in loop.body:
        label = fresh_label(block.label, labels)
        copies = [replace(op) for op in block.ops if type(op) is not Phi or block is not loop.header]
        new.update(zip(block.ops[len(block.ops) - len(copies) :], copies))
        blocks[block] = Block(label, copies)

    def renamed(value: Value) -> Value:
        return new.get(value, value)

    for block, copy in blocks.items():
        for op in copy.ops:
            if type(op) is Phi:
                op.incoming = [(blocks[b], renamed(v)) for b, v in op.incoming]
            else:
                op.map_args(renamed)
        for target in block.successors():
            if target in blocks and target is not loop.header:
                retarget(copy, target, blocks[target])
    return blocks, new
