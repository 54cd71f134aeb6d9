"""The opcode byte of BPF instructions, as numbers and tables.

    ALU, ALU64, JMP, JMP32            LD, LDX, ST, STX
    +--------+-+-----+                +-----+----+-----+
    |  code  |s|class|                |mode |size|class|
    +--------+-+-----+                +-----+----+-----+
     4 bits   1  3 bits                3     2    3

Numbers are from RFC 9669 (sections 3 to 5); JCOND, the address-space cast, and the acquire and release codes are from
the kernel's include/uapi/linux/bpf.h. All are plain integers, already shifted into place, so that an opcode is its
parts put together: `ALU64 | ADD | X`.
"""

from __future__ import annotations

# fmt: off
# Instruction classes.
LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)

# Source of the second operand: the immediate, or the source register.
K, X = 0x00, 0x08

# Sizes of a memory access: 4, 2, 1, 8 bytes.
W, H, B, DW = 0x00, 0x08, 0x10, 0x18

# Modes of a memory access. MEM_SX sign-extends what it loads.
IMM, ABS, IND, MEM, MEMSX, ATOMIC = 0x00, 0x20, 0x40, 0x60, 0x80, 0xC0

# Arithmetic codes.
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH = 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70
NEG, MOD, XOR, MOV, ARSH, END         = 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0

# Jump codes.
JA, JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE = 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70
CALL, EXIT, JLT, JLE, JSLT, JSLE, JCOND  = 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0

# What the immediate of an ATOMIC instruction says: an arithmetic code, or one of these.
FETCH, XCHG, CMPXCHG, LOAD_ACQ, STORE_REL = 0x01, 0xE1, 0xF1, 0x100, 0x110

# Whole opcodes that have a name of their own.
LD_IMM64 = LD | IMM | DW
MOV_IMM, MOV_REG     = ALU64 | MOV | K, ALU64 | MOV | X
MOV32_IMM, MOV32_REG = ALU | MOV | K, ALU | MOV | X
GOTO, GOTOL          = JMP | JA, JMP32 | JA
CALL_IMM, EXIT_INSN  = JMP | CALL, JMP | EXIT
MAY_GOTO             = JMP | JCOND
TO_LE, TO_BE, BSWAP  = ALU | END | K, ALU | END | X, ALU64 | END | K

# Source register of a CALL: who is called.
CALL_HELPER, CALL_LOCAL, CALL_KFUNC = 0, 1, 2

# Source register of LD_IMM64: what the 64-bit immediate means.
PSEUDO_NONE, PSEUDO_MAP_FD, PSEUDO_MAP_VALUE, PSEUDO_BTF_ID = range(4)
PSEUDO_FUNC, PSEUDO_MAP_IDX, PSEUDO_MAP_IDX_VALUE = range(4, 7)

# Offset field of ALU instructions that use it: signed division, and address-space cast (of ALU64 MOV X).
SIGNED, ADDR_SPACE_CAST = 1, 1

# Code -> operator, as the kernel spells it (kernel/bpf/disasm.c).
ALU_OPERATOR = {
    ADD: "+=", SUB: "-=", MUL: "*=", DIV: "/=", OR: "|=", AND: "&=", LSH: "<<=", RSH: ">>=", MOD: "%=", XOR: "^=",
    MOV: "=", ARSH: "s>>=",
}
ALU_SIGNED_OPERATOR = {DIV: "s/=", MOD: "s%="}
JUMP_OPERATOR = {
    JEQ: "==", JGT: ">", JGE: ">=", JSET: "&", JNE: "!=", JSGT: "s>", JSGE: "s>=",
    JLT: "<", JLE: "<=", JSLT: "s<", JSLE: "s<=",
}
ATOMIC_NAME = {ADD: "add", AND: "and", OR: "or", XOR: "xor"}
SIZE_NAME = {B: "u8", H: "u16", W: "u32", DW: "u64"}
SIGNED_SIZE_NAME = {B: "s8", H: "s16", W: "s32"}
SIZE_BYTES = {B: 1, H: 2, W: 4, DW: 8}
SIZE_CODE = {1: B, 2: H, 4: W, 8: DW}

# The comparison that holds exactly when the other doesn't, and the one with its operands exchanged.
NEGATED = {JEQ: JNE, JNE: JEQ, JGT: JLE, JLE: JGT, JGE: JLT, JLT: JGE, JSGT: JSLE, JSLE: JSGT, JSGE: JSLT, JSLT: JSGE}
SWAPPED = {JEQ: JEQ, JNE: JNE, JSET: JSET, JGT: JLT, JLT: JGT, JGE: JLE, JLE: JGE,
           JSGT: JSLT, JSLT: JSGT, JSGE: JSLE, JSLE: JSGE}
# fmt: on
