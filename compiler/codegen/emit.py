"""Encoding: lines of instructions and the frame in; bytes, relocations and line records out."""

from __future__ import annotations

from _struct import Struct

from pybpf.compiler.codegen import machine as m
from pybpf.compiler.codegen.layout import slots_of
from pybpf.compiler.codegen.machine import FRAME_POINTER, Symbol
from pybpf.compiler.elf.model import CoreReloc, LineRecord, Reloc
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.effects import OPERAND
from pybpf.compiler.schema.core import CoreFact
from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.codegen.frame import Frame
    from pybpf.compiler.codegen.layout import Line
    from pybpf.compiler.codegen.machine import MBlock, MFunction, MInsn
    from pybpf.compiler.schema.span import Span

__all__ = ["MachineCode", "emit"]


class MachineCode(Record, eq=False):
    """A compiled function: what the object writer wants of it, and what explains it.

    `insns` are (number of the first slot, instruction), in order; `starts` says at which slot which block starts.
    `function` is the allocated function that they are from; `helpers` names those it calls, by number;
    `later` are the functions that it has called when it has long returned.
    """

    name: str
    code: bytes
    relocs: tuple[Reloc, ...]
    lines: tuple[LineRecord, ...]
    frame: Frame
    insns: list[tuple[int, MInsn]]
    starts: list[tuple[int, MBlock]]
    function: MFunction
    helpers: dict[int, str] = factory(dict)
    later: frozenset[str] = frozenset()
    core: tuple[CoreReloc, ...] = ()


# Opcode, registers (source in the upper half), offset, immediate.
Slot = tuple[int, int, int, int]
_PACK = Struct("<BBhi").pack


def emit(fn: MFunction, lines: list[Line], frame: Frame, span: Span | None = None) -> MachineCode:
    """`span` is where the function stands in the source: for instructions in front of the first that has a span."""
    starts = {}
    at = 0
    for line in lines:
        starts[line.block] = at
        for insn in line.insns:
            at += slots_of(insn)
    code: list[Slot] = []
    relocs = []
    core = []
    placed = []
    for line in lines:
        jumps = line.jumps
        for index, insn in enumerate(line.insns):
            at = len(code)
            placed.append((at, insn))
            ref = insn.ref
            if type(ref) is Symbol:
                relocs.append(Reloc(8 * at, ref.name, ref.kind))
            elif type(ref) is CoreFact:
                core.append(CoreReloc(8 * at, ref.type, ref.access, ref.kind))
            if index in jumps:
                code.append(_jump(insn, starts[jumps[index]] - at - 1))
            else:
                code += _ENCODE[insn.form.name](insn, frame)
    data = b"".join([_PACK(*slot) for slot in code])
    begins = [(at, block) for block, at in starts.items()]
    made = tuple(relocs), _lines(placed, span)
    return MachineCode(fn.name, data, *made, frame, placed, begins, fn, core=tuple(core))


def _lines(placed: list[tuple[int, MInsn]], span: Span | None) -> tuple[LineRecord, ...]:
    """A record where the source line changes; one at the first instruction in any case."""
    found: list[LineRecord] = []
    here: Span | None = None
    for at, insn in placed:
        now = insn.span or (None if found else span)
        if now is None or (here is not None and now.line == here.line and now.source is here.source):
            continue
        here = now
        text = now.source.line(now.line).strip()
        found.append(LineRecord(8 * at if found else 0, now.source.name, text, now.line, now.col + 1))
    return tuple(found)


def _jump(insn: MInsn, distance: int) -> Slot:
    if insn.op == op.GOTOL:
        return op.GOTOL, 0, 0, distance
    if insn.form is m.JUMP:
        return op.GOTO, 0, distance, 0
    if insn.form is m.MAY_GOTO:
        return op.MAY_GOTO, 0, distance, 0
    srcs = insn.srcs
    return insn.op, srcs[0] | (srcs[1] << 4 if insn.form is m.BRANCH_X else 0), distance, insn.imm


def _offset(insn: MInsn, frame: Frame) -> int:
    """Displacement of a memory access; of a stack slot's, from R10."""
    ref = insn.ref
    return insn.off + (0 if ref is None or type(ref) is CoreFact else frame.slots[ref])  # type: ignore[index]


def _wide(insn: MInsn, frame: Frame) -> list[Slot]:
    low = (insn.imm + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
    return [(op.LD_IMM64, insn.dst, 0, low), (0, 0, 0, insn.imm >> 32)]


def _frame_address(insn: MInsn, frame: Frame) -> list[Slot]:
    offset = insn.imm + frame.slots[insn.ref]  # type: ignore[index]
    return [(op.MOV_REG, insn.dst | FRAME_POINTER << 4, 0, 0), (op.ALU64 | op.ADD, insn.dst, 0, offset)]


def _set(insn: MInsn, frame: Frame) -> list[Slot]:
    regs = insn.srcs[0] | (insn.srcs[1] << 4 if insn.form is m.SET_X else 0)
    return [(op.MOV_IMM, insn.dst, 0, insn.off), (insn.op, regs, 1, insn.imm), (op.MOV_IMM, insn.dst, 0, 1 - insn.off)]


def _body(insn: MInsn, frame: Frame) -> list[Slot]:
    """The instructions of an `asm(...)`, with the registers that its operands got."""
    operands = (insn.dst, *insn.srcs)
    code: list[Slot] = []
    for i in insn.ref.insns:  # type: ignore[union-attr]
        dst = operands[i.dst - OPERAND] if i.dst >= OPERAND else i.dst
        src = operands[i.src - OPERAND] if i.src >= OPERAND else i.src
        low = (i.imm + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        code.append((i.opcode, dst | src << 4, i.off, low))
        if i.slots == 2:
            code.append((0, 0, 0, i.imm >> 32))
    return code


def _call(insn: MInsn, frame: Frame) -> list[Slot]:
    local = type(insn.ref) is Symbol
    return [(op.CALL_IMM, (op.CALL_LOCAL if local else op.CALL_HELPER) << 4, 0, insn.imm)]


_ENCODE: dict[str, Callable[[MInsn, Frame], list[Slot]]] = {
    "alu_k": lambda i, f: [(i.op, i.dst, i.off, i.imm)],
    "alu_x": lambda i, f: [(i.op, i.dst | i.srcs[1] << 4, i.off, 0)],
    "mov_x": lambda i, f: [(i.op, i.dst | i.srcs[0] << 4, i.off, i.imm)],
    "mov_k": lambda i, f: [(i.op, i.dst, 0, i.imm)],
    "load": lambda i, f: [(i.op, i.dst | i.srcs[0] << 4, _offset(i, f), 0)],
    "store_k": lambda i, f: [(i.op, i.srcs[0], _offset(i, f), i.imm)],
    "store_x": lambda i, f: [(i.op, i.srcs[0] | i.srcs[1] << 4, _offset(i, f), i.imm)],
    "fetch": lambda i, f: [(i.op, i.srcs[1] | i.srcs[0] << 4, _offset(i, f), i.imm)],
    "cmpxchg": lambda i, f: [(i.op, i.srcs[1] | i.srcs[2] << 4, _offset(i, f), i.imm)],
    "asm": _body,
    "call": _call,
    "exit": lambda i, f: [(op.EXIT_INSN, 0, 0, 0)],
    "load_64": _wide,
    "frame": _frame_address,
    "set_k": _set,
    "set_x": _set,
    "spill": lambda i, f: [(op.STX | op.MEM | op.DW, FRAME_POINTER | i.srcs[0] << 4, f.spills[i.imm], 0)],
    "reload": lambda i, f: [(op.LDX | op.MEM | op.DW, i.dst | FRAME_POINTER << 4, f.spills[i.imm], 0)],
}
