"""Whether instructions of the bytes are one of the original's: by opcode and constants; operands are compared later.

    original              bytes                                 sources, result
    alu_x %7 = %5 + %6    r3 += r4                              (3, 4), 3
    set_k %8 = %5 == 7    r1 = 1; if r3 == 7 goto +1; r1 = 0    (3,), 1
    branch_k if %5 == 7   if r3 != 7 goto                       (3,), and where it goes is the second target

Branches may be inverted, or have their operands exchanged with the condition turned round.
"""

from __future__ import annotations

from pybpf.compiler.codegen import machine as m
from pybpf.compiler.codegen.machine import MInsn, Symbol
from pybpf.compiler.ir.function import Slot
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.effects import OPERAND
from pybpf.compiler.schema.core import CoreFact
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybpf.compiler.isa.insn import Insn

__all__ = ["Match", "branch", "constant", "is_set", "match", "reference"]

COMMUTATIVE = (op.ADD, op.MUL, op.AND, op.OR, op.XOR)
SYMMETRIC = (op.JEQ, op.JNE, op.JSET)


class Match(Record):
    """`count` instructions of the bytes. `sources[i]` is the register of operand i (-1: the code does not look at it),
    `result` the one that is written (-1: none). `either`: the operands may be exchanged."""

    count: int
    sources: tuple[int, ...]
    result: int = -1
    either: bool = False


def reference(ref: object) -> object:
    """What a relocation of an instruction with this `ref` says: None for none."""
    if type(ref) is Symbol:
        return ref.kind, ref.name
    if type(ref) is CoreFact:
        return ref.type, ref.access, ref.kind
    return None


def constant(form: m.Form, opcode: int, imm: int, relocation: object) -> tuple[object, ...]:
    """A key for the value that a recipe, or a move of an immediate, computes: alike for all that compute the same."""
    if relocation is not None:
        return form.name, opcode, imm, relocation
    return (imm & (0xFFFF_FFFF if opcode == op.MOV32_IMM else 0xFFFF_FFFF_FFFF_FFFF),)


def match(
    insn: MInsn, code: Sequence[Insn], at: int, relocations: Mapping[int, object], offsets: Mapping[Slot, int]
) -> Match | None:
    """`code` from `at` on as the original `insn`, which is no branch. `offsets`: of the stack slots, from R10."""
    if insn.form in (m.SET_K, m.SET_X):
        return _set(insn, code, at) if not relocations.keys() & {at, at + 1, at + 2} else None
    if insn.form.name == "asm":
        return _asm(insn, code, at) if insn.ref is not None else None
    one = code[at]
    off = insn.off + (offsets[insn.ref] if type(insn.ref) is Slot else 0)
    if insn.form is m.CALL:
        local = op.CALL_LOCAL if type(insn.ref) is Symbol else op.CALL_HELPER
        same = (one.opcode, one.src, one.imm) == (op.CALL_IMM, local, insn.imm)
    else:
        same = (one.opcode, one.off, one.imm) == (insn.op, off, _signed(insn.imm))
    if not same or relocations.get(at) != reference(insn.ref):
        return None
    return _FIELDS[insn.form.name](insn, one)


_FIELDS = {
    "alu_k": lambda insn, one: Match(1, (one.dst,), one.dst),
    "alu_x": lambda insn, one: Match(1, (one.dst, one.src), one.dst, one.opcode & 0xF0 in COMMUTATIVE),
    "mov_x": lambda insn, one: Match(1, (one.src,), one.dst),
    "load": lambda insn, one: Match(1, (one.src,), one.dst),
    "store_k": lambda insn, one: Match(1, (one.dst,)),
    "store_x": lambda insn, one: Match(1, (one.dst, one.src)),
    "fetch": lambda insn, one: Match(1, (one.src, one.dst), one.src),
    "cmpxchg": lambda insn, one: Match(1, (0, one.dst, one.src), 0),
    "call": lambda insn, one: Match(1, (1, 2, 3, 4, 5)[: len(insn.srcs)], 0),
    "exit": lambda insn, one: Match(1, (0,)),
}


def is_set(code: Sequence[Insn], at: int) -> bool:
    """Three instructions that make 1 or 0 of a condition; or that look like it."""
    if len(code) < at + 3:
        return False
    first, jump, last = code[at : at + 3]
    return (
        first.opcode == last.opcode == op.MOV_IMM
        and first.dst == last.dst
        and first.imm + last.imm == 1
        and first.imm in (0, 1)
        and jump.opcode & 7 in (op.JMP, op.JMP32)
        and jump.opcode & 0xF0 in op.JUMP_OPERATOR
        and jump.off == 1
    )


def _set(insn: MInsn, code: Sequence[Insn], at: int) -> Match | None:
    if not is_set(code, at) or code[at].imm != insn.off:
        return None
    dst, jump = code[at].dst, code[at + 1]
    if (jump.opcode, jump.imm) != (insn.op, _signed(insn.imm)):
        return None
    sources = (jump.dst, jump.src) if insn.form is m.SET_X else (jump.dst,)
    return Match(3, sources, dst) if dst not in sources else None


def _asm(insn: MInsn, code: Sequence[Insn], at: int) -> Match | None:
    body: Sequence[Insn] = insn.ref.insns  # type: ignore[union-attr]
    operands = [-1] * (1 + len(insn.srcs))
    if len(code) < at + len(body):
        return None
    for wanted, one in zip(body, code[at:]):
        bits = 64 if wanted.opcode == op.LD_IMM64 else 32
        if (wanted.opcode, wanted.off) != (one.opcode, one.off) or (wanted.imm - one.imm) % (1 << bits):
            return None
        for register, found in ((wanted.dst, one.dst), (wanted.src, one.src)):
            if register < OPERAND:
                if register != found:
                    return None
            elif operands[register - OPERAND] not in (-1, found):
                return None
            else:
                operands[register - OPERAND] = found
    return Match(len(body), tuple(operands[1:]), operands[0])


def branch(insn: MInsn, one: Insn) -> tuple[int, tuple[tuple[int, ...], ...]] | None:
    """Which target of the original branch `one` jumps to, and where its sources must be: any of these pairs."""
    if insn.form is m.MAY_GOTO:
        return (0, ((),)) if one.opcode == op.MAY_GOTO else None
    if (one.opcode & 0x0F, one.imm) != (insn.op & 0x0F, _signed(insn.imm)):
        return None
    mine, code = insn.op & 0xF0, one.opcode & 0xF0
    if insn.form is m.BRANCH_K:
        places: tuple[tuple[int, ...], ...] = ((one.dst,),)
    elif code in SYMMETRIC:
        places = (one.dst, one.src), (one.src, one.dst)
    else:
        places = ((one.dst, one.src),)
    swapped = tuple([pair[::-1] for pair in places])
    if code == mine:
        return 0, places
    if code == op.NEGATED.get(mine):
        return 1, places
    if insn.form is m.BRANCH_X and code == op.SWAPPED[mine]:
        return 0, swapped
    if insn.form is m.BRANCH_X and mine in op.NEGATED and code == op.SWAPPED[op.NEGATED[mine]]:
        return 1, swapped
    return None


def _signed(imm: int) -> int:
    return (imm + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
