"""Redundant moves after allocation: an allocated function in, the same without them out (in place).

    r1 = r2                   r1 = r2                 *(u64 *)(r10 -8) = r6        *(u64 *)(r10 -8) = r6
    r2 = r1           ->                              r1 = *(u64 *)(r10 -8)   ->   r1 = r6

Within a block each register and spill slot has a number for its value; a move, a spill, a reload or a recipe that
would give a place the value that it has already is dropped, and a reload of what some register has becomes a move.
Across blocks, a spill of a value that its slot certainly holds already is dropped as well.
"""

from __future__ import annotations

from pybpf.compiler.codegen.machine import ALLOCATABLE, FRAME, LOAD_64, MOV_K, MOV_X, RELOAD, SPILL, copy
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MFunction, MInsn

__all__ = ["drop_redundant_moves"]


def drop_redundant_moves(fn: MFunction, phis: frozenset[int]) -> None:
    """`phis` are the virtual registers that are block parameters: their slots are written on several edges."""
    if fn.spills:
        _drop_repeated_spills(fn, phis)
    for block in fn.blocks:
        if len(block.insns) > 1:
            block.insns = _block(block.insns)


def _block(insns: list[MInsn]) -> list[MInsn]:
    held: dict[int, int] = {}  # register, or ~v for a slot -> number of its value
    recipes: dict[tuple[object, ...], int] = {}
    count = 0
    kept = []
    for insn in insns:
        form = insn.form
        if form is MOV_X and insn.op == op.MOV_REG and not insn.off:
            place, source = insn.dst, insn.srcs[0]
            if source not in held:
                count += 1
                held[source] = count
            value = held[source]
        elif form is SPILL:
            place, source = ~insn.vreg, insn.srcs[0]
            if source not in held:
                count += 1
                held[source] = count
            value = held[source]
        elif form is RELOAD:
            place = insn.dst
            slot = ~insn.vreg
            if slot not in held:
                count += 1
                held[slot] = count
            value = held[slot]
        elif form is MOV_K or form is FRAME or form is LOAD_64:
            place = insn.dst
            key = (form.name, insn.op, insn.imm, insn.ref)
            if key not in recipes:
                count += 1
                recipes[key] = count
            value = recipes[key]
        else:
            if form.clobbers:
                for reg in range(ALLOCATABLE):
                    if form.clobbers >> reg & 1:
                        held.pop(reg, None)
            if insn.dst >= 0:
                held.pop(insn.dst, None)
            kept.append(insn)
            continue
        if held.get(place) == value:
            continue
        held[place] = value
        if form is RELOAD:
            for reg, other in held.items():
                if other == value and 0 <= reg != place:
                    insn = copy(place, reg, insn.vreg, insn.span)
                    break
        kept.append(insn)
    return kept


def _drop_repeated_spills(fn: MFunction, phis: frozenset[int]) -> None:
    """A value has one definition, so once stored it stays in its slot until that is executed again."""
    gen: dict[int, int] = {}
    kill: dict[int, int] = {}
    everything = 0
    for v in fn.spills:
        if v not in phis:
            everything |= 1 << v
    for number, block in enumerate(fn.blocks):
        stored = killed = 0
        for insn in block.insns:
            if insn.form is SPILL or insn.form is RELOAD:
                stored |= 1 << insn.vreg
            elif insn.origin is not None and insn.dst >= 0 and insn.vreg >= 0:
                stored &= ~(1 << insn.vreg)
                killed |= 1 << insn.vreg
        gen[number], kill[number] = stored & everything, killed
    index = {block: number for number, block in enumerate(fn.blocks)}
    known = [everything] * len(fn.blocks)
    known[0] = 0
    changed = True
    while changed:
        changed = False
        for number, block in enumerate(fn.blocks):
            out = known[number] & ~kill[number] | gen[number]
            for target in block.succs:
                there = index[target]
                if known[there] & ~out:
                    known[there] &= out
                    changed = True
    for number, block in enumerate(fn.blocks):
        have = known[number]
        if not have and not gen[number]:
            continue
        kept = []
        for insn in block.insns:
            if insn.form is SPILL and everything >> insn.vreg & 1:
                if have >> insn.vreg & 1:
                    continue
                have |= 1 << insn.vreg
            elif insn.form is RELOAD:
                have |= 1 << insn.vreg
            elif insn.origin is not None and insn.dst >= 0 and insn.vreg >= 0:
                have &= ~(1 << insn.vreg)
            kept.append(insn)
        block.insns = kept
