"""Text of machine functions, before and after allocation, and of the final code with its source beside."""

from __future__ import annotations

from pybpf.compiler.codegen import machine as m
from pybpf.compiler.codegen.machine import FIRST_VREG, Symbol
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.disasm import disassemble
from pybpf.compiler.isa.effects import OPERAND
from pybpf.compiler.isa.insn import decode
from pybpf.compiler.schema.core import CoreFact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.codegen.machine import MBlock, MFunction, MInsn

__all__ = ["dump_code", "dump_function", "dump_insn"]


def dump_function(fn: MFunction) -> str:
    """The machine function; virtual registers are `%number.name`."""
    params = ", ".join(f"r{i + 1}: {_reg(fn, v)}" for i, v in enumerate(fn.params) if v >= 0)
    lines = [f"func {fn.name}({params}) level {fn.level} {{"]
    lines += [f"  slot {slot.name or '?'} size {slot.size} align {slot.align}" for slot in fn.slots]
    for recipe in fn.recipes.values():
        lines.append(f"  recipe {dump_insn(fn, recipe)}")
    for block in fn.blocks:
        arrivals = f"({', '.join(_reg(fn, v) for v in block.params)})" if block.params else ""
        lines.append(f"@{block.label}{arrivals}:" + (f"  ; in {block.depth} loops" if block.depth else ""))
        lines += [f"  {dump_insn(fn, insn, block)}" for insn in block.insns]
    return "\n".join([*lines, "}"]) + "\n"


def _reg(fn: MFunction, reg: int) -> str:
    if reg < FIRST_VREG:
        return f"r{reg}"
    name = fn.names.get(reg)
    return f"%{reg}.{name}" if name else f"%{reg}"


def dump_insn(fn: MFunction, insn: MInsn, block: MBlock | None = None) -> str:
    """One instruction; `block` gives a jump's targets."""
    form = insn.form
    dst = _reg(fn, insn.dst) if insn.dst >= 0 else ""
    srcs = [_reg(fn, v) for v in insn.srcs]
    targets = []
    if block is not None:
        for index, target in enumerate(block.succs):
            args = block.args[index] if block.args else []
            targets.append(f"@{target.label}" + (f"({', '.join(_reg(fn, v) for v in args)})" if args else ""))
    code = insn.op & 0xF0
    half = "w:" if insn.op & 7 in (op.ALU, op.JMP32) else ""
    if form is m.ALU_K and code == op.NEG:
        return f"{dst} = {half}-{srcs[0]}"
    if form is m.ALU_K and code == op.END:
        return f"{dst} = {'bswap' if insn.op & 7 == op.ALU64 else 'be'}{insn.imm} {srcs[0]}"
    if form is m.ALU_K or form is m.ALU_X:
        table = op.ALU_SIGNED_OPERATOR if insn.off else op.ALU_OPERATOR
        return f"{dst} = {half}{srcs[0]} {table[code].removesuffix('=')} {srcs[1] if form is m.ALU_X else insn.imm}"
    if form is m.MOV_X and insn.op == op.MOV_REG and insn.off == op.ADDR_SPACE_CAST:
        return f"{dst} = addr_space_cast({srcs[0]}, {insn.imm >> 16}, {insn.imm & 0xFFFF})"
    if form is m.MOV_X:
        return f"{dst} = {half}{f'(s{insn.off})' if insn.off else ''}{srcs[0]}"
    if form is m.LOAD:
        names = op.SIGNED_SIZE_NAME if insn.op & 0xE0 == op.MEMSX else op.SIZE_NAME
        return f"{dst} = {names[insn.op & 0x18]} {_place(insn, srcs[0])}"
    if form is m.STORE_K or form is m.STORE_X:
        what = srcs[1] if form is m.STORE_X else insn.imm
        if insn.op & 0xE0 == op.ATOMIC:
            return f"lock {op.SIZE_NAME[insn.op & 0x18]} {_place(insn, srcs[0])} {op.ALU_OPERATOR[insn.imm]} {what}"
        return f"{op.SIZE_NAME[insn.op & 0x18]} {_place(insn, srcs[0])} = {what}"
    if form is m.FETCH or form is m.CMPXCHG:
        name = form.name if form is m.CMPXCHG else op.ATOMIC_NAME.get(insn.imm & ~op.FETCH, "xchg")
        size, base = op.SIZE_NAME[insn.op & 0x18], srcs[1]
        others = ", ".join(s for i, s in enumerate(srcs) if i != 1)
        return f"{dst or '_'} = atomic {name} {size} {_place(insn, base)}, {others}"
    if form is m.CALL:
        who = insn.ref.name if type(insn.ref) is Symbol else f"helper#{insn.imm}"
        return (f"{dst} = " if dst else "") + f"call {who}({', '.join(srcs)})"
    if form in (m.BRANCH_K, m.BRANCH_X, m.SET_K, m.SET_X):
        test = f"{half}{srcs[0]} {op.JUMP_OPERATOR[code]} {srcs[1] if len(srcs) > 1 else insn.imm}"
        if form in (m.SET_K, m.SET_X):
            return f"{dst} = {'' if insn.off else 'not '}{test}"
        return f"if {test} goto {' else '.join(targets)}"
    if form is m.MAY_GOTO:
        return f"may_goto {' else '.join(targets)}"
    if form is m.JUMP:
        return f"goto {targets[0] if targets else '?'}"
    return _special(fn, insn, dst, srcs)


def _special(fn: MFunction, insn: MInsn, dst: str, srcs: list[str]) -> str:
    form = insn.form
    if form is m.EXIT:
        return f"exit {srcs[0]}"
    if form is m.MOV_K:
        return f"{dst} = {'w:' if insn.op == op.MOV32_IMM else ''}{insn.imm}"
    if form is m.FRAME:
        return f"{dst} = &{getattr(insn.ref, 'name', '') or '?'}{insn.imm:+d}"
    if form is m.LOAD_64:
        return f"{dst} = {insn.ref.kind} {insn.ref.name}" if type(insn.ref) is Symbol else f"{dst} = {insn.imm} ll"
    if type(insn.ref) is m.Body:
        operands = {OPERAND + number: text for number, text in enumerate((dst, *srcs))}
        return "asm " + "; ".join([_operands(disassemble(i), operands) for i in insn.ref.insns])
    if form is m.SPILL:
        return f"spill[{insn.imm}] = {srcs[0]}  ; {_reg(fn, insn.vreg)}"
    return f"{dst} = spill[{insn.imm}]  ; {_reg(fn, insn.vreg)}"


def _operands(text: str, operands: dict[int, str]) -> str:
    """An instruction with its operands' registers in place of those from 16 up."""
    for number in sorted(operands, reverse=True):
        text = text.replace(f"r{number}", f"{{{operands[number]}}}").replace(f"w{number}", f"{{{operands[number]}:w}}")
    return text


def _place(insn: MInsn, base: str) -> str:
    if type(insn.ref) is CoreFact:
        return f"[{base} core {insn.ref.type} {insn.ref.access} {insn.off:+d}]"
    slot = f" {getattr(insn.ref, 'name', '') or 'slot'}" if insn.ref is not None else ""
    return f"[{base}{slot} {insn.off:+d}]"


def dump_code(code: MachineCode, helpers: Mapping[int, str] | None = None) -> str:
    """The final instructions in the kernel's syntax, each source line above the instructions made of it."""
    lines = [f"{code.name}:"]
    sources = {record.offset // 8: record for record in code.lines}
    symbols = {reloc.offset // 8: reloc for reloc in code.relocs}
    at = 0
    for insn in decode(code.code):
        if at in sources:
            lines.append(f"; {sources[at].text} @ {sources[at].file}:{sources[at].line}")
        text = disassemble(insn, helpers or code.helpers)
        if at in symbols:
            text = f"{text:<40} ; {symbols[at].kind} {symbols[at].symbol}"
        lines.append(f"{at:6}: {text}")
        at += insn.slots
    return "\n".join(lines) + "\n"
