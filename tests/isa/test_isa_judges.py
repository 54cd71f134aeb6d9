"""Our text against the kernel's own (the verifier's log) and against llvm-objdump's, and our bytes against both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.asm import assemble
from pybpf.compiler.isa.disasm import disassemble
from pybpf.compiler.isa.insn import Insn, decode, encode
from pybpf.compiler.isa.levels import is_valid, level
from tests.codegen import kernel

NAMES = {5: "bpf_ktime_get_ns", 7: "bpf_get_prandom_u32"}
PRELUDE = "r6 = r1\nr7 = r10\nr7 += -16\n"
RESET = "*(u64 *)(r10 -16) = 5\n*(u64 *)(r10 -8) = 6\nr0 = 9\nr1 = 7\nr2 = 3\n"


def every_instruction() -> list[Insn]:
    """Each opcode that any program may use, on scalars in r1 and r2 and stack memory at r7."""
    alu = [k | c for k in (op.ALU, op.ALU64) for c in op.ALU_OPERATOR]
    found = [Insn(o, 1, 0, 0, 3) for o in alu] + [Insn(o | op.X, 1, 2) for o in alu]
    signed = [k | c for k in (op.ALU, op.ALU64) for c in op.ALU_SIGNED_OPERATOR]
    found += [Insn(o, 1, 0, 1, -3) for o in signed] + [Insn(o | op.X, 1, 2, 1) for o in signed]
    found += [Insn(o, 1, 2, bits) for o in (op.MOV_REG, op.MOV32_REG) for bits in (8, 16)] + [
        Insn(op.MOV_REG, 1, 2, 32)
    ]
    found += [Insn(o, 1, 0, 0, bits) for o in (op.TO_LE, op.TO_BE, op.BSWAP) for bits in (16, 32, 64)]
    found += [Insn(op.ALU | op.NEG, 1), Insn(op.ALU64 | op.NEG, 1)]
    jumps = [k | c for k in (op.JMP, op.JMP32) for c in op.JUMP_OPERATOR]
    found += [Insn(o, 1, 0, 0, imm) for o in jumps for imm in (3, -3)] + [Insn(o | op.X, 1, 2) for o in jumps]
    found += [
        Insn(op.GOTO),
        Insn(op.GOTOL),
        Insn(op.LD_IMM64, 1, 0, 0, -(1 << 40)),
        Insn(op.LD_IMM64, 1, 0, 0, 7 << 40),
    ]
    found += [Insn(op.LDX | op.MEM | s, 1, 7, 8) for s in op.SIZE_NAME]
    found += [Insn(op.LDX | op.MEMSX | s, 1, 7, 8) for s in op.SIGNED_SIZE_NAME]
    found += [Insn(op.ST | op.MEM | s, 7, 0, 8, -2) for s in op.SIZE_NAME]
    found += [Insn(op.STX | op.MEM | s, 7, 1, 8) for s in op.SIZE_NAME]
    codes = [*op.ATOMIC_NAME, *(c | op.FETCH for c in op.ATOMIC_NAME), op.XCHG, op.CMPXCHG]
    found += [Insn(op.STX | op.ATOMIC | s, 7, 1, 8, c) for s in (op.W, op.DW) for c in codes]
    found += [Insn(op.STX | op.ATOMIC | s, 1, 7, 8, op.LOAD_ACQ) for s in op.SIZE_NAME]
    found += [Insn(op.STX | op.ATOMIC | s, 7, 1, 8, op.STORE_REL) for s in op.SIZE_NAME]
    found += [Insn(op.CALL_IMM, imm=number) for number in NAMES] + [Insn(op.MAY_GOTO)]
    return found


def log_lines(log: str) -> dict[int, tuple[int, str]]:
    """Slot -> (opcode, text) of each instruction that the verifier printed."""
    found = {}
    for at, code, text in re.findall(r"^(?:from .*: )?(\d+): \(([0-9a-f]{2})\) (.*?)(?: +;.*)?$", log, re.MULTILINE):
        found.setdefault(int(at), (int(code, 16), text))
    return found


@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
def test_the_kernel_takes_and_prints_every_instruction():
    program = assemble(PRELUDE)
    for insn in every_instruction():
        assert is_valid(insn), disassemble(insn)
        program += [*assemble(RESET), insn]
    program += assemble("r0 = 0\nexit")
    fd, log = kernel.load(encode(program), log_level=2)
    assert fd > 0, log[-2000:]
    os.close(fd)
    printed = log_lines(log)
    at = 0
    seen = set()
    for insn in program:
        if at in printed:
            assert printed[at] == (insn.opcode, disassemble(insn, NAMES).removesuffix(" ll"))
            seen.add((insn.opcode, insn.imm if insn.opcode & 7 == op.STX else 0))
        at += insn.slots
    wanted = {(i.opcode, i.imm if i.opcode & 7 == op.STX else 0) for i in every_instruction()}
    assert wanted <= seen


@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
def test_packet_loads_of_socket_filters():
    program = assemble(
        """
        r6 = r1
        r0 = *(u8 *)skb[14]
        r0 = *(u16 *)skb[-4096]
        r7 = 3
        r0 = *(u32 *)skb[r7 + 4]
        exit
        """
    )
    fd, log = kernel.load(encode(program), kernel.SOCKET_FILTER, log_level=2)
    assert fd > 0, log
    os.close(fd)
    assert [text for _, text in log_lines(log).values()] == [disassemble(i) for i in program]


@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
@pytest.mark.parametrize(
    "insn",
    [
        Insn(op.ALU64 | op.ADD | op.X, 1, 2, 0, 1), Insn(op.ALU64 | op.ADD, 1, 2, 0, 1),
        Insn(op.ALU64 | op.ADD, 1, 0, 1, 1), Insn(op.ALU | op.MOV | op.X, 1, 2, 32), Insn(op.MOV_REG, 1, 2, 5),
        Insn(op.TO_BE, 1, 0, 0, 24), Insn(op.BSWAP | op.X, 1, 0, 0, 32), Insn(op.ALU64 | op.NEG | op.X, 1, 2),
        Insn(op.GOTO, 1), Insn(op.GOTOL, 0, 0, 1), Insn(op.EXIT_INSN, 0, 0, 0, 1), Insn(op.MAY_GOTO, 0, 1),
        Insn(op.LDX | op.MEMSX | op.DW, 1, 7), Insn(op.STX | op.ATOMIC | op.H, 7, 1, 0, 0),
        Insn(op.STX | op.ATOMIC | op.W, 7, 1, 0, 2), Insn(op.ST | op.MEM | op.W, 7, 1, 0, 2), Insn(0xE4),
        Insn(op.JMP32 | op.CALL),
    ],
)  # fmt: skip
def test_what_we_call_invalid_the_kernel_refuses(insn):
    assert not is_valid(insn)
    program = [*assemble(PRELUDE + RESET), insn, *assemble("r0 = 0\nexit")]
    fd, _ = kernel.load(encode(program))
    assert fd == -22


SOURCE = """
typedef unsigned long long u64; typedef unsigned u32; typedef long long s64; typedef int s32;
u64 swap(u64 x, u64 y) { return __builtin_bswap64(x) + (u64)(u32)y * 3; }
void add(u64 *y) { __sync_fetch_and_add(y, 3); }
u64 memory(short *x, signed char *y, int *z) { *x = 4; *z = -4; *(u64 *)(x + 8) = 9; return *x + *y + *z; }
u64 loop(u32 x, u64 y) {
    u64 s = 0x1234567890ull;
    for (u32 i = 0; i < x; i++) {
        s += ((u64 (*)(void))5)() ^ s << 7;
        if ((s32)s < -5) s = -s;
        if (s & y) s >>= 3; else s = (s64)s >> i;
        if (s > y * 2) s /= 7;
        if ((s64)s <= (s64)y) s %= 9;
    }
    return s;
}
"""
FETCHING = "u64 fetch(u64 *y) { return __sync_fetch_and_add(y, 4); }\n"
SIGNED = (
    "s64 signed_(s64 x, s64 y) { return x / y + (s64)(signed char)x + (int)y % 3 + (short)y + __builtin_bswap32(x); }"
)


def objdump_text(text: str) -> str:
    """llvm-objdump's spelling of a line as the kernel's: `goto +0x1 <label>`, `(r1 + 0x8)`, hexadecimal immediates."""
    text = re.sub(r" <[^<>=]+>$", "", text)
    text = re.sub(r"goto(l?) ([+-]0x[0-9a-f]+)", lambda m: f"goto{m[1]} pc{int(m[2], 16):+d}", text)
    text = re.sub(r"\((r\d+) ([+-]) (0x[0-9a-f]+)\)", lambda m: f"({m[1]} {int(m[2] + m[3], 16):+d})", text)
    text = re.sub(r"^call (0x[0-9a-f]+)$", lambda m: f"call {NAMES[int(m[1], 16)]}#{int(m[1], 16)}", text)
    text = re.sub(r"^w(\d+ = \*\()|(?<=\) = )w(?=\d+$)", lambda m: "r" + (m[1] or ""), text)  # loads and stores
    text = text.replace("= atomic_fetch_add((u64", "= atomic64_fetch_add((u64")
    text = re.sub(r" (-0x[0-9a-f]+) goto", lambda m: f" 0x{int(m[1], 16) & 0xFFFFFFFF:x} goto", text)
    return re.sub(r"(?<== )(-?0x[0-9a-f]+)$", lambda m: str(int(m[1], 16)), text)


@pytest.mark.skipif(
    not shutil.which("clang-19") or not shutil.which("llvm-objdump-19"), reason="clang-19 is not installed"
)
@pytest.mark.parametrize("cpu", [1, 2, 3, 4])
def test_clang_output_reads_as_llvm_reads_it(tmp_path, cpu):
    source = tmp_path / "t.c"
    source.write_text(SOURCE + (FETCHING if cpu >= 3 else "") + (SIGNED if cpu == 4 else ""))
    target = tmp_path / "t.o"
    subprocess.run(["clang-19", "-O2", "-target", "bpf", f"-mcpu=v{cpu}", "-c", source, "-o", target], check=True)
    dump = subprocess.run(
        ["llvm-objdump-19", "--mcpu=v4", "-d", target], check=True, capture_output=True, text=True
    ).stdout
    seen = 0
    highest = 1
    for match in re.finditer(r"^\s+\d+:\t((?:[0-9a-f]{2} ?){8,16})\t(.*)$", dump, re.MULTILINE):
        [insn] = decode(bytes.fromhex(match[1]))
        ours = disassemble(insn, NAMES)
        assert ours == objdump_text(match[2])
        assert assemble(ours) == [insn]
        highest = max(highest, level(insn))
        seen += 1
    assert seen > 40
    assert highest == cpu
