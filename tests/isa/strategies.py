"""Hypothesis strategies for instructions: any valid one, with any operands."""

from __future__ import annotations

from hypothesis import strategies as st

from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.insn import Insn

registers = st.integers(0, 10)
offsets = st.integers(-0x8000, 0x7FFF)
words = st.integers(-(1 << 31), (1 << 31) - 1)
quads = st.integers(-(1 << 63), (1 << 63) - 1)
ZERO = st.just(0)


def _insns(opcodes, dst=ZERO, src=ZERO, off=ZERO, imm=ZERO):
    return st.builds(Insn, st.sampled_from(sorted(opcodes)), dst, src, off, imm)


_alu_codes = set(op.ALU_OPERATOR)
_compares = [kind | code for kind in (op.JMP, op.JMP32) for code in op.JUMP_OPERATOR]
_sizes = list(op.SIZE_NAME)
_atomics = [*op.ATOMIC_NAME, *(c | op.FETCH for c in op.ATOMIC_NAME), op.XCHG, op.CMPXCHG]

insns = st.one_of(
    _insns({k | c for k in (op.ALU, op.ALU64) for c in _alu_codes}, registers, imm=words),
    _insns({k | c | op.X for k in (op.ALU, op.ALU64) for c in _alu_codes}, registers, registers),
    _insns({k | c for k in (op.ALU, op.ALU64) for c in (op.DIV, op.MOD)}, registers, off=st.just(1), imm=words),
    _insns({k | c | op.X for k in (op.ALU, op.ALU64) for c in (op.DIV, op.MOD)}, registers, registers, st.just(1)),
    _insns({op.MOV_REG, op.MOV32_REG}, registers, registers, st.sampled_from([8, 16])),
    _insns({op.MOV_REG}, registers, registers, st.just(32)),
    _insns({op.MOV_REG}, registers, registers, st.just(1), st.sampled_from([1, 1 << 16])),
    _insns({op.ALU | op.NEG, op.ALU64 | op.NEG}, registers),
    _insns({op.TO_LE, op.TO_BE, op.BSWAP}, registers, imm=st.sampled_from([16, 32, 64])),
    _insns(_compares, registers, off=offsets, imm=words),
    _insns([c | op.X for c in _compares], registers, registers, offsets),
    _insns({op.GOTO, op.MAY_GOTO}, off=offsets),
    _insns({op.GOTOL}, imm=words),
    _insns({op.CALL_IMM}, src=st.sampled_from([0, 1]), imm=words),
    _insns({op.CALL_IMM}, src=st.just(2), off=offsets, imm=words),
    _insns({op.EXIT_INSN}),
    _insns({op.LD_IMM64}, registers, ZERO, ZERO, quads),
    _insns({op.LD_IMM64}, registers, st.integers(1, 6), ZERO, quads),
    _insns({op.LDX | op.MEM | s for s in _sizes}, registers, registers, offsets),
    _insns({op.LDX | op.MEMSX | s for s in op.SIGNED_SIZE_NAME}, registers, registers, offsets),
    _insns({op.ST | op.MEM | s for s in _sizes}, registers, off=offsets, imm=words),
    _insns({op.STX | op.MEM | s for s in _sizes}, registers, registers, offsets),
    _insns({op.STX | op.ATOMIC | s for s in (op.W, op.DW)}, registers, registers, offsets, st.sampled_from(_atomics)),
    _insns({op.STX | op.ATOMIC | s for s in _sizes}, registers, registers, offsets, st.sampled_from([0x100, 0x110])),
    _insns({op.LD | op.ABS | s for s in (op.B, op.H, op.W)}, imm=words),
    _insns({op.LD | op.IND | s for s in (op.B, op.H, op.W)}, ZERO, registers, ZERO, words),
)
