"""Encode, decode, disassemble, assemble: each undoes the other; wrong text is told, with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.asm import AsmError, assemble
from pybpf.compiler.isa.disasm import disassemble, listing
from pybpf.compiler.isa.insn import Insn, MalformedCode, decode, encode
from pybpf.compiler.isa.levels import is_valid, level, needs_kernel
from tests.isa.strategies import insns, offsets, registers, words


@settings(max_examples=150, deadline=None)
@given(st.lists(insns, max_size=12))
def test_bytes_and_text_read_back(program):
    code = encode(program)
    assert len(code) == 8 * sum(i.slots for i in program)
    assert decode(code) == program
    assert all(is_valid(i) for i in program)
    assert assemble("\n".join(disassemble(i) for i in program)) == program
    assert assemble("\n".join(listing(program))) == program


@settings(max_examples=300, deadline=None)
@given(st.builds(Insn, st.integers(0, 255), registers, registers, offsets, words))
def test_any_opcode_has_a_text_that_reads_back(insn):
    """Whatever the bytes are: valid instructions come back equal, others at least are shown."""
    text = disassemble(insn)
    assert text
    if is_valid(insn) and insn.opcode != op.LD_IMM64:
        assert assemble(text) == [insn]


@settings(max_examples=100)
@given(st.binary(max_size=64))
def test_decode_of_any_bytes(code):
    try:
        assert encode(decode(code)) == code
    except MalformedCode:
        assert len(code) % 8 or op.LD_IMM64 in code[::8]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("r1 = 0", Insn(0xB7, 1)),
        ("w1 = w2", Insn(0xBC, 1, 2)),
        ("*(u64 *)(r10 -8) = r1", Insn(0x7B, 10, 1, -8)),
        ("*(u8 *)(r10 -8) = 255", Insn(0x72, 10, 0, -8, 255)),
        ("r1 = *(u32 *)(r2 +4)", Insn(0x61, 1, 2, 4)),
        ("r1 = *(s16 *)(r2 +4)", Insn(0x89, 1, 2, 4)),
        ("if r0 == 0x0 goto pc+2", Insn(0x15, 0, 0, 2)),
        ("if w1 s< 0xfffffffb goto pc+1", Insn(0xC6, 1, 0, 1, -5)),
        ("call bpf_ktime_get_ns#5", Insn(0x85, 0, 0, 0, 5)),
        ("call pc+3", Insn(0x85, 0, 1, 0, 3)),
        ("lock *(u64 *)(r1 +0) += r2", Insn(0xDB, 1, 2)),
        ("r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)", Insn(0xDB, 1, 2, 0, 1)),
        ("r2 = atomic_xchg((u32 *)(r1 +0), r2)", Insn(0xC3, 1, 2, 0, 0xE1)),
        ("r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)", Insn(0xDB, 1, 2, 0, 0xF1)),
        ("r1 = bswap32 r1", Insn(0xD7, 1, 0, 0, 32)),
        ("r1 = be16 r1", Insn(0xDC, 1, 0, 0, 16)),
        ("r1 = (s8)r2", Insn(0xBF, 1, 2, 8)),
        ("r1 s/= r2", Insn(0x3F, 1, 2, 1)),
        ("gotol pc-70000", Insn(0x06, 0, 0, 0, -70000)),
        ("may_goto pc+1", Insn(0xE5, 0, 0, 1)),
        ("r1 = addr_space_cast(r2, 0, 1)", Insn(0xBF, 1, 2, 1, 1)),
        ("r3 = load_acquire((u16 *)(r2 +2))", Insn(0xCB, 3, 2, 2, 0x100)),
        ("r1 = map_fd[7] ll", Insn(0x18, 1, 1, 0, 7)),
        ("r1 = 0xffffffffffffffff ll", Insn(0x18, 1, 0, 0, -1)),
    ],
)
def test_spelling(text, same):
    assert disassemble(same, {5: "bpf_ktime_get_ns"}) == text
    assert assemble(text) == [same]


def test_labels_count_slots():
    program = assemble(
        """
        again:
          r1 = 0x123456789 ll   ; two slots
          if r1 != 0 goto done  // forward
          call sub
          goto again
        done: exit
        sub: exit
        """
    )
    assert [i.off for i in program] == [0, 2, 0, -5, 0, 0]
    assert program[2].imm == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r1 = 0\nr1 = = 2", "2:6"),
        ("goto nowhere", "label nowhere is not defined"),
        ("a: exit\na: exit", "label a is defined twice"),
        ("exit\nr1 = w2", "2:1: r1 and w2 are of different widths"),
        ("w1 = *(u32 *)(r2 +0)", "64-bit registers"),
        ("r1 = 0x100000000", "does not fit 32 bits"),
        ("r1 = -r2", "same register"),
        ("*(s8 *)(r2 +0) = r1", "for loads only"),
        ("r1 = atomic64_fetch_add((u32 *)(r2 +0), r1)", "does not go with this size"),
        ("r1 = *(u8 *)(r2 +40000)", "does not fit 16 bits"),
        ("goto far\n" + "exit\n" * 40000 + "far: exit", "16 bits hold no more"),
    ],
)
def test_wrong_text(text, message):
    with pytest.raises(AsmError, match=message):
        assemble(text)


def test_wrong_bytes():
    with pytest.raises(MalformedCode, match="instruction 1: the 64-bit load has no second half"):
        decode(encode(assemble("exit\nr1 = 1 ll"))[:16])
    with pytest.raises(MalformedCode, match="7 bytes"):
        decode(bytes(7))


@pytest.mark.parametrize(
    ("text", "lowest", "kernel"),
    [
        ("r1 += r2", 1, (3, 18)),
        ("lock *(u32 *)(r1 +0) += r2", 1, (3, 18)),
        ("r1 = be32 r1", 1, (3, 18)),
        ("if r1 <= 0x3 goto pc+1", 2, (4, 14)),
        ("if w1 <= 0x3 goto pc+1", 3, (5, 1)),
        ("w1 += 1", 3, (5, 1)),
        ("lock *(u32 *)(r1 +0) |= r2", 3, (5, 12)),
        ("r2 = atomic_fetch_add((u32 *)(r1 +0), r2)", 3, (5, 12)),
        ("r1 s%= 3", 4, (6, 6)),
        ("r1 = (s32)r2", 4, (6, 6)),
        ("r1 = *(s8 *)(r2 +0)", 4, (6, 6)),
        ("r1 = bswap16 r1", 4, (6, 6)),
        ("gotol pc+1", 4, (6, 6)),
        ("may_goto pc+1", 1, (6, 9)),
        ("r1 = addr_space_cast(r2, 0, 1)", 1, (6, 9)),
        ("store_release((u64 *)(r1 +0), r2)", 1, (6, 15)),
        ("r1 = load_acquire((u8 *)(r2 +0))", 1, (6, 15)),
    ],
)
def test_levels(text, lowest, kernel):
    [insn] = assemble(text)
    assert (level(insn), needs_kernel(insn)) == (lowest, kernel)
