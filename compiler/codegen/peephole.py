"""Redundant moves after allocation: an allocated function in, the same without them out (in place).

    r1 = r2                   r1 = r2                 *(u64 *)(r10 -8) = r6        *(u64 *)(r10 -8) = r6
    r2 = r1           ->                              r1 = *(u64 *)(r10 -8)   ->   r1 = r6

Only what the allocator put in is touched. Within a block each register and spill slot has a number for its value; a
move, a spill, a reload or a recipe that would give a place the value that it has already is dropped, and a reload of
what some register has becomes a move. Across blocks, a spill of a value that its slot certainly holds already is
dropped as well.
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
    held: dict[int, int] = {}  # register, or ~number for a slot -> number of its value
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
            place, source = ~insn.imm, insn.srcs[0]
            if source not in held:
                count += 1
                held[source] = count
            value = held[source]
        elif form is RELOAD:
            place = insn.dst
            slot = ~insn.imm
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
        if held.get(place) == value and insn.origin is None:
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
    """A value has one definition: once stored, it is in its slot until that is executed again or the slot changes."""
    followed = 0
    sharing: dict[int, int] = {}  # slot number -> virtual registers that may be in it
    for v, slot in fn.spills.items():
        if v not in phis and v < fn.vregs:
            followed |= 1 << v
        sharing[slot] = sharing.get(slot, 0) | 1 << v
    index = {block: number for number, block in enumerate(fn.blocks)}
    known = [followed] * len(fn.blocks)  # what certainly is in its slot at the start of each block
    known[0] = 0
    work = set(range(len(fn.blocks)))
    while work:
        number = min(work)
        work.remove(number)
        stored = known[number]
        for insn in fn.blocks[number].insns:
            stored = _stored_after(insn, stored, sharing)
        stored &= followed
        for target in fn.blocks[number].succs:
            there = index[target]
            if known[there] & ~stored:
                known[there] &= stored
                work.add(there)
    for number, block in enumerate(fn.blocks):
        stored = known[number]
        kept = []
        for insn in block.insns:
            if insn.form is not SPILL or not stored & followed & 1 << insn.vreg:
                kept.append(insn)
            stored = _stored_after(insn, stored, sharing)
        block.insns = kept


def _stored_after(insn: MInsn, stored: int, sharing: dict[int, int]) -> int:
    if insn.form is SPILL:
        return stored & ~sharing[insn.imm] | 1 << insn.vreg
    if insn.form is RELOAD:
        return stored | 1 << insn.vreg
    if insn.origin is not None and insn.vreg >= 0:
        return stored & ~(1 << insn.vreg)
    return stored
