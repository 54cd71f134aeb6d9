"""Runs instructions one after the other, by the ISA alone: for `asm(...)` in the IR's interpreter and the simulator.

Registers are a mapping of numbers (operands count from 16, see effects.py) to 64-bit patterns as unsigned ints. Memory
is whatever reads and writes at an address; helpers are called by number. RFC 9669 sections 4 and 5.
"""

from __future__ import annotations

from pybpf.compiler.ir import arith
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.effects import CALLER_SAVED, following

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybpf.compiler.isa.insn import Insn

    Read = Callable[[int, int], bytes]  # address, size
    Write = Callable[[int, bytes], None]
    Helper = Callable[[int, list[int]], int]  # number, R1 to R5

__all__ = ["TooLong", "execute"]

MASK = arith.MASK64
_ALU = {
    op.ADD: "add", op.SUB: "sub", op.MUL: "mul", op.DIV: "udiv", op.OR: "or", op.AND: "and", op.LSH: "shl",
    op.RSH: "lshr", op.MOD: "umod", op.XOR: "xor", op.ARSH: "ashr",
}  # fmt: skip
_SIGNED = {op.DIV: "sdiv", op.MOD: "smod"}
_TEST = {
    op.JEQ: "eq", op.JGT: "ugt", op.JGE: "uge", op.JSET: "set", op.JNE: "ne", op.JSGT: "sgt", op.JSGE: "sge",
    op.JLT: "ult", op.JLE: "ule", op.JSLT: "slt", op.JSLE: "sle",
}  # fmt: skip


class TooLong(Exception):
    """The instructions ran longer than they may."""


def execute(
    insns: Sequence[Insn], registers: dict[int, int], read: Read, write: Write, helper: Helper, most: int = 1_000_000
) -> None:
    """Run from the first instruction until an `exit`, or until control leaves behind the last; `registers` change."""
    after = following(insns)
    at = 0
    while at < len(insns):
        most -= 1
        if most < 0:
            raise TooLong
        if insns[at].opcode == op.EXIT_INSN:
            return
        at = after[at][_step(insns[at], registers, read, write, helper)]


def _step(insn: Insn, regs: dict[int, int], read: Read, write: Write, helper: Helper) -> int:
    """Do one instruction; 1 where a jump is taken that has a second way."""
    kind, code = insn.opcode & 7, insn.opcode & 0xF0
    if kind in (op.ALU, op.ALU64):
        regs[insn.dst] = _arithmetic(insn, regs, 64 if kind == op.ALU64 else 32)
    elif insn.opcode == op.LD_IMM64:
        regs[insn.dst] = insn.imm & MASK
    elif insn.opcode == op.CALL_IMM:
        result = helper(insn.imm, [regs.get(number, 0) for number in range(1, 6)]) & MASK
        for number in CALLER_SAVED:
            regs.pop(number, None)
        regs[0] = result
    elif kind in (op.JMP, op.JMP32):
        if code in _TEST:
            right = regs[insn.src] if insn.opcode & op.X else insn.imm & MASK
            return int(arith.compare(_TEST[code], regs[insn.dst], right, 64 if kind == op.JMP else 32))
    else:
        _memory(insn, regs, read, write)
    return 0


def _arithmetic(insn: Insn, regs: dict[int, int], width: int) -> int:
    code, mask = insn.opcode & 0xF0, (1 << width) - 1
    if code == op.NEG:
        return -regs[insn.dst] & mask
    if code == op.END:
        swapped = width == 64 or insn.opcode & op.X
        return arith.swap(regs[insn.dst], insn.imm) if swapped else regs[insn.dst] & (1 << insn.imm) - 1
    right = regs[insn.src] if insn.opcode & op.X else insn.imm & MASK
    if code == op.MOV:
        return (arith.extend(right, insn.off, True) if insn.off else right) & mask
    return arith.binary((_SIGNED if insn.off else _ALU)[code], regs[insn.dst], right, width)


def _memory(insn: Insn, regs: dict[int, int], read: Read, write: Write) -> None:
    kind, mode, size = insn.opcode & 7, insn.opcode & 0xE0, op.SIZE_BYTES[insn.opcode & 0x18]
    if kind == op.LDX:
        value = int.from_bytes(read(regs[insn.src] + insn.off & MASK, size), "little")
        regs[insn.dst] = arith.extend(value, 8 * size, mode == op.MEMSX)
        return
    if mode == op.ATOMIC and insn.imm == op.LOAD_ACQ:
        regs[insn.dst] = int.from_bytes(read(regs[insn.src] + insn.off & MASK, size), "little")
        return
    address, mask = regs[insn.dst] + insn.off & MASK, (1 << 8 * size) - 1
    if mode != op.ATOMIC or insn.imm == op.STORE_REL:
        value = insn.imm if kind == op.ST else regs[insn.src]
        write(address, (value & mask).to_bytes(size, "little"))
        return
    old, given = int.from_bytes(read(address, size), "little"), regs[insn.src] & mask
    if insn.imm == op.CMPXCHG:
        new = given if old == regs[0] & mask else old
        regs[0] = old
    else:
        new = given if insn.imm == op.XCHG else arith.binary(_ALU[insn.imm & 0xF0], old, given, 8 * size)
        if insn.imm & op.FETCH:
            regs[insn.src] = old
    write(address, new.to_bytes(size, "little"))
