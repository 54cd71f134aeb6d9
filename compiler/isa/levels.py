"""Which instructions exist, from which ISA level and from which kernel on.

The levels are clang's `-mcpu` values, with the kernel release that runs each:

    v1   the base set of RFC 9669's groups base64, divmul64 without JLT, JLE, JSLT, JSLE     3.18
    v2   JLT, JLE, JSLT, JSLE                                                                4.14
    v3   JMP32, ALU32, atomics that fetch and all atomics but add                            5.1, atomics 5.12
    v4   MOVSX, sign-extending loads, BSWAP, SDIV, SMOD, GOTOL                               6.6

May-goto and address-space casts (6.9), load-acquire and store-release (6.15) belong to no level: a kernel has them or
has not, and programs of any level may use them there.
"""

from __future__ import annotations

from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.schema.specs import LEVEL_SINCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.isa.insn import Insn

__all__ = ["is_valid", "level", "needs_kernel"]

_MAY_GOTO, _ATOMICS, _ACQUIRES = (6, 9), (5, 12), (6, 15)
_V2_JUMPS = frozenset({op.JLT, op.JLE, op.JSLT, op.JSLE})
_FETCHING = frozenset(code | op.FETCH for code in op.ATOMIC_NAME) | {op.XCHG, op.CMPXCHG}
_ORDERED = frozenset({op.LOAD_ACQ, op.STORE_REL})


def level(insn: Insn) -> int:
    """The lowest ISA level, 1 to 4, that has this (valid) instruction; 1 for what belongs to no level."""
    code, kind = insn.opcode & 0xF0, insn.opcode & 7
    if kind == op.ALU64 or kind == op.ALU:
        if code == op.END:
            return 4 if kind == op.ALU64 else 1
        if insn.off:
            return 1 if _casts(insn) else 4  # SDIV, SMOD, MOVSX
        return 1 if kind == op.ALU64 else 3
    if kind == op.JMP:
        return 2 if code in _V2_JUMPS else 1
    if kind == op.JMP32:
        return 4 if insn.opcode == op.GOTOL else 3
    if insn.opcode & 0xE0 == op.MEMSX:
        return 4
    if kind == op.STX and insn.opcode & 0xE0 == op.ATOMIC:
        return 1 if insn.imm == op.ADD or insn.imm in _ORDERED else 3
    return 1


def _casts(insn: Insn) -> bool:
    return insn.opcode == op.MOV_REG and insn.off == op.ADDR_SPACE_CAST


def needs_kernel(insn: Insn) -> tuple[int, int]:
    """The oldest kernel release that runs this (valid) instruction."""
    lowest = level(insn)
    if insn.opcode == op.MAY_GOTO or _casts(insn):
        return _MAY_GOTO
    if insn.opcode & 7 == op.STX and insn.opcode & 0xE0 == op.ATOMIC:
        return _ACQUIRES if insn.imm in _ORDERED else _ATOMICS if lowest > 1 else LEVEL_SINCE[1]
    return LEVEL_SINCE[lowest]


def is_valid(insn: Insn) -> bool:
    """True if the kernel knows the opcode and each field that the instruction doesn't use is zero.

    The rules are those of RFC 9669 and of kernel/bpf/verifier.c (check_alu_op, check_cond_jmp_op, check_ld_imm, ...).
    Registers must exist; whether R10 is written, or an offset is in range, is the verifier's business.
    """
    if insn.dst > 10 or insn.src > 10:
        return False
    kind = insn.opcode & 7
    if kind == op.ALU or kind == op.ALU64:
        return _valid_alu(insn, kind)
    if kind == op.JMP or kind == op.JMP32:
        return _valid_jump(insn, kind)
    return _valid_memory(insn, kind)


def _valid_alu(insn: Insn, kind: int) -> bool:
    code, by_reg = insn.opcode & 0xF0, insn.opcode & op.X
    if code == op.END:
        if kind == op.ALU64 and by_reg:
            return False
        return insn.imm in (16, 32, 64) and not insn.src and not insn.off
    if code == op.NEG:
        return not by_reg and not insn.src and not insn.off and not insn.imm
    if code not in op.ALU_OPERATOR:
        return False
    if code == op.MOV and by_reg and insn.off:
        if kind == op.ALU64 and insn.off == op.ADDR_SPACE_CAST:
            return insn.imm in (1, 1 << 16)
        return insn.off in ((8, 16) if kind == op.ALU else (8, 16, 32)) and not insn.imm
    if insn.off and not (insn.off == op.SIGNED and code in op.ALU_SIGNED_OPERATOR):
        return False
    return not insn.imm if by_reg else not insn.src


def _valid_jump(insn: Insn, kind: int) -> bool:
    code, by_reg = insn.opcode & 0xF0, insn.opcode & op.X
    if code in op.JUMP_OPERATOR:
        return not insn.imm if by_reg else not insn.src
    if insn.dst or by_reg:
        return False
    if insn.opcode == op.GOTO:
        return not insn.src and not insn.imm
    if insn.opcode == op.GOTOL:
        return not insn.src and not insn.off
    if kind == op.JMP32:
        return False
    if code == op.CALL:
        return insn.src == op.CALL_KFUNC or (insn.src in (op.CALL_HELPER, op.CALL_LOCAL) and not insn.off)
    if code == op.EXIT:
        return not insn.src and not insn.off and not insn.imm
    return code == op.JCOND and not insn.src and not insn.imm  # source 0: may_goto


def _valid_memory(insn: Insn, kind: int) -> bool:
    mode, size = insn.opcode & 0xE0, insn.opcode & 0x18
    if kind == op.LD:
        if insn.opcode == op.LD_IMM64:
            return insn.src <= op.PSEUDO_MAP_IDX_VALUE and not insn.off
        plain = size != op.DW and not insn.dst and not insn.off
        return plain and (mode == op.IND or (mode == op.ABS and not insn.src))
    if kind == op.LDX:
        return (mode == op.MEM or (mode == op.MEMSX and size != op.DW)) and not insn.imm
    if mode == op.MEM:
        return not insn.src if kind == op.ST else not insn.imm
    if kind == op.ST or mode != op.ATOMIC:
        return False
    if insn.imm in _ORDERED:
        return True
    return size in (op.W, op.DW) and (insn.imm in op.ATOMIC_NAME or insn.imm in _FETCHING)
