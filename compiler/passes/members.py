"""Asks once whether a number is among several constants, instead of comparing it with one after the other.

    @a:  br eq %x, 0, @in, @b                    @a:     br ugt %x, 63, @out, @a.t0
    @b:  br eq %x, 43, @in, @c                   @a.t0:  %1 = lshr 0x0008180000000001, %x
    @c:  br eq %x, 44, @in, @d           =>              br set %1, 1, @in, @out
    @d:  br eq %x, 51, @in, @e
    @e:  br eq %x, 60, @in, @out

`x in (0, 43, 44, 51, 60)`, `x == 0 or x == 43 or ...` and cases of `match` with the same body. It is less code, and the
verifier walks what follows once, instead of once for each constant. Constants from 64 on keep tests of their own.

Where the number is more than looked at - a size, an index, or something that one is computed from - the comparisons
stay: by them the verifier knows how large it is.
"""

from __future__ import annotations

from pybpf.compiler.analysis.uses import is_measure, uses
from pybpf.compiler.ir.arith import MASK64
from pybpf.compiler.ir.function import Block
from pybpf.compiler.ir.ops import Binary, Branch, Const
from pybpf.compiler.passes.cfg import fresh_label
from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

FEWEST = 5  # constants that a mask replaces; 4 where it fits an instruction
SHORT = 1 << 31
BITS = 64


class _Chain(Record, eq=False):
    """Tests of one value for equality, each on the way on which those before failed. `out` is where the last leads."""

    value: Value
    target: Block
    out: Block
    blocks: list[Block] = factory(list)
    numbers: list[int] = factory(list)


def run(function: Function) -> bool:
    """Replace the chains that are worth it."""
    starts = [block for block in function.blocks if _test(block) is not None]
    if len(starts) < FEWEST - 1:
        return False
    before = function.predecessors()
    gone: set[Block] = set()
    users: dict[Value, list[Op]] | None = None
    changed = False
    for block in starts:
        if block in gone or _leads_here(block, before):
            continue
        chain = _chain(block, before)
        low = [number for number in chain.numbers if number < BITS]
        mask = sum([1 << number for number in set(low)])
        if len(low) < FEWEST - (mask < SHORT):
            continue
        users = users or uses(function)
        if is_measure(chain.value, users):
            continue
        gone |= _replace(function, chain, mask)
        changed = True
    if changed:
        function.blocks = [block for block in function.blocks if block not in gone]
    return changed


def _test(block: Block) -> tuple[Value, int, Block, Block] | None:
    """(value, constant, where to if they are equal, where to else) of a block that ends so."""
    last = block.ops[-1]
    if type(last) is not Branch or last.pred not in ("eq", "ne") or last.width != 64 or type(last.rhs) is not Const:
        return None
    if last.lhs.kind != "int" or type(last.lhs) is Const or last.then is last.other:
        return None
    then, other = (last.then, last.other) if last.pred == "eq" else (last.other, last.then)
    return last.lhs, last.rhs.value & MASK64, then, other


def _leads_here(block: Block, before: dict[Block, list[Block]]) -> bool:
    """Whether the block is one of a chain that begins in front of it."""
    if len(before[block]) != 1 or len(block.ops) != 1:
        return False
    own, above = _test(block), _test(before[block][0])
    return own is not None and above is not None and own[0] is above[0] and own[2] is above[2] and above[3] is block


def _chain(block: Block, before: dict[Block, list[Block]]) -> _Chain:
    test = _test(block)
    assert test is not None
    value, _, target, out = test
    chain = _Chain(value, target, out)
    first = block
    while test is not None and test[0] is value and test[2] is target and _same_way(target, first, block):
        chain.blocks.append(block)
        chain.numbers.append(test[1])
        chain.out = block = test[3]
        if len(before[block]) != 1 or len(block.ops) != 1:
            break
        test = _test(block)
    return chain


def _same_way(target: Block, one: Block, two: Block) -> bool:
    """Whether the target's phis have the same values on both ways."""
    for phi in target.phis():
        a, b = (next(v for source, v in phi.incoming if source is block) for block in (one, two))
        if a is not b and not (type(a) is Const and type(b) is Const and a.value == b.value):
            return False
    return True


def _replace(function: Function, chain: _Chain, mask: int) -> set[Block]:
    """Put the test by the mask in place of the chain, in front of the tests that stay; the blocks that go."""
    head, last = chain.blocks[0], chain.blocks[-1]
    large = [number for number in chain.numbers if number >= BITS]
    span = head.ops[-1].span
    labels = {block.label for block in function.blocks}
    shifted = Binary("lshr", Const(mask), chain.value, 64, "", span)
    masked = Block(fresh_label(head.label, labels), [shifted])
    tests = [Block(fresh_label(head.label, labels)) for _ in large]
    ways = [*tests, chain.out]
    head.ops[-1] = Branch("ugt", chain.value, Const(BITS - 1), ways[0], masked, 64, span)
    masked.ops.append(Branch("set", shifted, Const(1), chain.target, ways[0], 64, span))
    for test, number, following in zip(tests, large, ways[1:]):
        test.ops.append(Branch("eq", chain.value, Const(number), chain.target, following, 64, span))
    for phi in chain.target.phis():
        value = next(v for block, v in phi.incoming if block is head)
        phi.incoming = [(b, v) for b, v in phi.incoming if b not in chain.blocks]
        phi.incoming += [(block, value) for block in (masked, *tests)]
    for phi in chain.out.phis():
        value = next(v for block, v in phi.incoming if block is last)
        phi.incoming = [(b, v) for b, v in phi.incoming if b is not last]
        phi.incoming += [(block, value) for block in ([tests[-1]] if tests else [head, masked])]
    place = function.blocks.index(head) + 1
    function.blocks[place:place] = [masked, *tests]
    return {*chain.blocks} - {head}
