"""Block layout: an allocated function in, its instructions in a line, with each jump's target block, out.

Jumps to a block that only jumps on go straight to the end of the chain; a jump to the block that follows is dropped;
a branch to the block that follows is inverted, so that it falls through; of a branch and a jump the branch goes back in
a loop; a jump to a lone `exit` becomes one; code that ends alike is joined (endings.py). Blocks keep the order that
order.py gave them.
"""

from __future__ import annotations

from pybpf.compiler.codegen.endings import join_endings
from pybpf.compiler.codegen.machine import BRANCH_K, BRANCH_X, EXIT, FRAME, JUMP, LOAD_64, MAY_GOTO, SET_K, SET_X, MInsn
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.codegen.machine import MBlock, MFunction

__all__ = ["Line", "inverted", "lay_out_blocks", "slots_of"]

LESS = frozenset((op.JLT, op.JLE, op.JSLT, op.JSLE))  # from ISA level 2 on


class Line(Record, eq=False):
    """Instructions in a row, of which only the first is jumped to. `jumps`: index of a jump -> where it goes."""

    block: MBlock
    insns: list[MInsn]
    jumps: dict[int, MBlock]


def lay_out_blocks(fn: MFunction, join: bool = True) -> list[Line]:
    """The blocks in order, jumps and branches settled; code that ends alike is joined if told."""
    _thread_jumps(fn)
    if join and join_endings(fn):
        _thread_jumps(fn)
    lines = []
    position = {block: index for index, block in enumerate(fn.blocks)}
    following: list[MBlock | None] = [*fn.blocks[1:], None]
    for block, after in zip(fn.blocks, following, strict=True):
        insns = list(block.insns)
        last = insns[-1]
        jumps: dict[int, MBlock] = {}
        if last.form is JUMP:
            [target] = block.succs
            if target is after:
                insns.pop()
            else:
                jumps[len(insns) - 1] = target
        elif last.form in (BRANCH_K, BRANCH_X, MAY_GOTO):
            taken, other = block.succs
            back = other is not after and position[other] <= position[block] < position[taken]
            flipped = inverted(last, fn.level) if taken is after or back else None
            if taken is other:
                insns.pop()
                if taken is not after:
                    insns.append(MInsn(JUMP, op.GOTO, span=last.span))
                    jumps[len(insns) - 1] = taken
            else:
                if flipped is not None:
                    insns[-1] = flipped
                    taken, other = other, taken
                jumps[len(insns) - 1] = taken
                if other is not after:
                    insns.append(MInsn(JUMP, op.GOTO, span=last.span))
                    jumps[len(insns) - 1] = other
        lines.append(Line(block, insns, jumps))
    return lines


def slots_of(insn: MInsn) -> int:
    """Eight-byte slots that the instruction is encoded in."""
    form = insn.form
    if form is LOAD_64 or form is FRAME:
        return 2
    if form.name == "asm":
        body: Any = insn.ref
        return sum(int(i.slots) for i in body.insns)
    return 3 if form is SET_K or form is SET_X else 1


def inverted(branch: MInsn, level: int) -> MInsn | None:
    """The branch that is taken exactly when `branch` isn't; None if the ISA level has none."""
    code = branch.op & 0xF0
    negated = op.NEGATED.get(code)
    if negated is None:
        return None
    srcs = branch.srcs
    if level < 2 and negated in LESS:
        if branch.form is BRANCH_K:
            return None
        negated, srcs = op.SWAPPED[negated], srcs[::-1]
    opcode = branch.op & 0x0F | negated
    return MInsn(branch.form, opcode, -1, srcs, 0, branch.imm, None, branch.span, -1, branch.origin)


def _thread_jumps(fn: MFunction) -> None:
    """Let edges skip blocks that only jump, make jumps to a lone exit exits, and drop what is then unreached."""

    def final(block: MBlock) -> MBlock:
        seen = {block}
        while len(block.insns) == 1 and block.insns[0].form is JUMP and block.succs[0] not in seen:
            block = block.succs[0]
            seen.add(block)
        return block

    for block in fn.blocks:
        for which, target in enumerate(block.succs):
            block.succs[which] = final(target)
    _drop_unreached(fn)
    following: list[MBlock | None] = [*fn.blocks[1:], None]
    for block, after in zip(fn.blocks, following, strict=True):
        if block.insns[-1].form is JUMP and block.succs[0] is not after and block.succs[0].insns[0].form is EXIT:
            block.insns = [*block.insns[:-1], block.succs[0].insns[0]]
            block.succs = []
    _drop_unreached(fn)


def _drop_unreached(fn: MFunction) -> None:
    reached = {fn.blocks[0]}
    work = [fn.blocks[0]]
    while work:
        for target in work.pop().succs:
            if target not in reached:
                reached.add(target)
                work.append(target)
    fn.blocks = [block for block in fn.blocks if block in reached]
