"""The end of a loop's turn: moves on the way back to the head go in front of the branch that leads there.

    @step:  r5 += 1                                  @step:  r5 += 1
            if r5 s>= 64 goto @out          ->               r3 = r1
            goto @back                                       if r5 s>= 64 goto @out
    @back:  r3 = r1                                          goto @head
            goto @head

The layout then makes the way back the branch that is taken: one jump a turn instead of two. An allocated function in,
the same changed in place. The other way must not read what is moved to, nor may the branch test what is moved: the
verifier learns from the test, and a copy made before would not know it on kernels that don't follow copies.
"""

from __future__ import annotations

from pybpf.compiler.codegen.liveness import read_before_written
from pybpf.compiler.codegen.machine import BRANCH_K, BRANCH_X, JUMP, LOAD_64, MOV_K, MOV_X, RELOAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MBlock, MFunction

__all__ = ["lift_moves_of_latches"]

_MOVES = (MOV_X, MOV_K, LOAD_64, RELOAD)


def lift_moves_of_latches(fn: MFunction) -> None:
    position = {block: index for index, block in enumerate(fn.blocks)}
    found = []
    for block in fn.blocks:
        if block.insns[-1].form not in (BRANCH_K, BRANCH_X):
            continue
        for which, between in enumerate(block.succs):
            if len(between.insns) > 1 and _is_way_back(between, position):
                found.append((block, which))
    if not found:
        return
    live = _live_in(fn)
    for block, which in found:
        between, other = block.succs[which], block.succs[1 - which]
        moves, branch = between.insns[:-1], block.insns[-1]
        written = {move.dst for move in moves}
        if written.isdisjoint(branch.srcs) and not any(live[other] >> reg & 1 for reg in written):
            if any(source in branch.srcs for move in moves for source in move.srcs):
                continue
            block.insns[-1:-1] = moves
            between.insns = between.insns[-1:]


def _is_way_back(between: MBlock, position: dict[MBlock, int]) -> bool:
    """Whether the block is only moves on one edge to a block in front of it."""
    if between.number >= 0 or position[between.succs[0]] > position[between]:
        return False
    *moves, last = between.insns
    return last.form is JUMP and all(move.origin is None and move.form in _MOVES for move in moves)


def _live_in(fn: MFunction) -> dict[MBlock, int]:
    """The registers that are read before they are written, as a bit mask, from the start of each block."""
    used: dict[MBlock, int] = {}
    kept: dict[MBlock, int] = {}
    for block in fn.blocks:
        reads = dead = 0
        for insn in reversed(block.insns):
            written = insn.form.clobbers | (1 << insn.dst if insn.dst >= 0 else 0)
            reads &= ~written
            dead |= written
            for reg in insn.srcs:
                reads |= 1 << reg
        used[block], kept[block] = reads, ~dead
    return read_before_written(fn, used, kept)
