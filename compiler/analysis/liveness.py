"""Which values are needed later: a Function in, the values live into and out of each block out.

A phi's result is born at the top of its block, and is not live into it; a phi's operand is live out of the predecessor
it comes from, and is not live into the phi's block by that use. Constants are never live, and nothing is in blocks that
the entry does not reach.
"""

from __future__ import annotations

from pybpf.compiler.ir.ops import Const, Phi
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Value

__all__ = ["Liveness", "liveness"]


class Liveness(Record, eq=False):
    """Sets of values are ints: bit n stands for `values[n]` (parameters first, then results in order)."""

    values: list[Value]
    number: dict[Value, int]
    live_in: dict[Block, int]
    live_out: dict[Block, int]

    def members(self, bits: int) -> list[Value]:
        """The values of a set, in order of appearance."""
        found = []
        while bits:
            low = bits & -bits
            found.append(self.values[low.bit_length() - 1])
            bits ^= low
        return found


def liveness(function: Function) -> Liveness:
    """Solve the data-flow equations, backwards over postorder until nothing changes."""
    values: list[Value] = [*function.params, *(op for op in function.ops() if op.kind != "void")]
    number = {value: n for n, value in enumerate(values)}
    needed: dict[Block, int] = {}  # used before any definition in the block
    born: dict[Block, int] = {}
    at_end: dict[Block, int] = dict.fromkeys(function.blocks, 0)  # used by phis of successors
    for block in function.blocks:
        uses = defs = 0
        for op in block.ops:
            if type(op) is Phi:
                for source, value in op.incoming:
                    if type(value) is not Const:
                        at_end[source] |= 1 << number[value]
            else:
                for value in op.args():
                    if type(value) is not Const:
                        uses |= 1 << number[value] & ~defs
            if op.kind != "void":
                defs |= 1 << number[op]
        needed[block], born[block] = uses, defs
    live_in = dict.fromkeys(function.blocks, 0)
    live_out = dict(at_end)
    order = function.reverse_postorder()
    order.reverse()
    changed = True
    while changed:
        changed = False
        for block in order:
            out = at_end[block]
            for target in block.successors():
                out |= live_in[target]
            into = needed[block] | out & ~born[block]
            if out != live_out[block] or into != live_in[block]:
                live_out[block], live_in[block] = out, into
                changed = True
    return Liveness(values, number, live_in, live_out)
