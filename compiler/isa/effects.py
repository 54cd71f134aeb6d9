"""Which registers an instruction reads and writes, and where control may go after it.

For the text of a program's `asm(...)`, whose operands are registers from OPERAND up that the allocator chooses later.
"""

from __future__ import annotations

from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybpf.compiler.isa.insn import Insn

__all__ = ["CALLER_SAVED", "OPERAND", "following", "reads", "writes"]

OPERAND = 16  # the first operand's register number: that of the result
CALLER_SAVED = (0, 1, 2, 3, 4, 5)


def reads(insn: Insn) -> tuple[int, ...]:
    """Registers whose value the instruction uses. A call may use fewer than the five that are its arguments: none is
    given here."""
    kind, code = insn.opcode & 7, insn.opcode & 0xF0
    if kind in (op.ALU, op.ALU64):
        by_reg = (insn.src,) if insn.opcode & op.X and code != op.END else ()
        return by_reg if code == op.MOV else (insn.dst, *by_reg)
    if kind in (op.JMP, op.JMP32):
        if code in op.JUMP_OPERATOR:
            return (insn.dst, insn.src) if insn.opcode & op.X else (insn.dst,)
        return (0,) if insn.opcode == op.EXIT_INSN else ()
    if kind == op.LD:
        return ()
    if kind == op.LDX:
        return (insn.src,)
    if kind == op.ST:
        return (insn.dst,)
    if insn.opcode & 0xE0 == op.ATOMIC and insn.imm == op.LOAD_ACQ:
        return (insn.src,)
    if insn.opcode & 0xE0 == op.ATOMIC and insn.imm == op.CMPXCHG:
        return 0, insn.dst, insn.src
    return insn.dst, insn.src


def writes(insn: Insn) -> tuple[int, ...]:
    """Registers that have another value, or none, afterwards."""
    kind = insn.opcode & 7
    if kind in (op.ALU, op.ALU64, op.LDX) or insn.opcode == op.LD_IMM64:
        return (insn.dst,)
    if insn.opcode == op.CALL_IMM:
        return CALLER_SAVED
    if kind == op.STX and insn.opcode & 0xE0 == op.ATOMIC:
        if insn.imm == op.LOAD_ACQ:
            return (insn.dst,)
        if insn.imm == op.CMPXCHG:
            return (0,)
        if insn.imm & op.FETCH:  # exchange has the bit too
            return (insn.src,)
    return ()


def following(insns: Sequence[Insn]) -> list[list[int]]:
    """For each instruction the numbers of those that may come next: `len(insns)` is the end, -1 no place at all."""
    slots, at = {}, 0
    for number, insn in enumerate(insns):
        slots[at] = number
        at += insn.slots
    slots[at] = len(insns)
    found: list[list[int]] = []
    at = 0
    for number, insn in enumerate(insns):
        at += insn.slots
        kind, code = insn.opcode & 7, insn.opcode & 0xF0
        if insn.opcode == op.EXIT_INSN:
            found.append([])
        elif insn.opcode == op.GOTOL:
            found.append([slots.get(at + insn.imm, -1)])
        elif insn.opcode == op.GOTO:
            found.append([slots.get(at + insn.off, -1)])
        elif kind in (op.JMP, op.JMP32) and (code in op.JUMP_OPERATOR or insn.opcode == op.MAY_GOTO):
            found.append([number + 1, slots.get(at + insn.off, -1)])
        else:
            found.append([number + 1])
    return found
