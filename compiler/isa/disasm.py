"""Instructions as text, spelled as the kernel spells them (kernel/bpf/disasm.c): in the verifier's log, and by
`bpftool prog dump xlated`.

    r1 = 7                       w2 = w3                      *(u64 *)(r10 -8) = r1
    if r0 == 0x0 goto pc+2       call bpf_ktime_get_ns#5      r1 = 0x1234567890 ll

Two differences, so that the text reads back to the same instruction. A 64-bit load ends in ` ll` (as
llvm-objdump has it), and what its source register says comes before the number: `r1 = map_fd[3] ll`.
"""

from __future__ import annotations

from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybpf.compiler.isa.insn import Insn

__all__ = ["disassemble", "listing"]

LD_IMM64_SOURCE = {
    op.PSEUDO_MAP_FD: "map_fd", op.PSEUDO_MAP_VALUE: "map_value", op.PSEUDO_BTF_ID: "btf_id", op.PSEUDO_FUNC: "func",
    op.PSEUDO_MAP_IDX: "map_idx", op.PSEUDO_MAP_IDX_VALUE: "map_idx_value",
}  # fmt: skip

_NO_NAMES: dict[int, str] = {}


def disassemble(insn: Insn, helpers: Mapping[int, str] = _NO_NAMES) -> str:
    """One instruction. `helpers` names helper functions by number; the kernel's name for all others is "unknown".

    What is no instruction is shown as `.insn opcode, dst, src, off, imm`.
    """
    kind = insn.opcode & 7
    if kind == op.ALU or kind == op.ALU64:
        text = _alu(insn, "r" if kind == op.ALU64 else "w")
    elif kind == op.JMP or kind == op.JMP32:
        text = _jump(insn, "r" if kind == op.JMP else "w", helpers)
    elif insn.opcode == op.LD_IMM64:
        text = _load_immediate(insn)
    else:
        text = _memory(insn, kind)
    return text or f".insn 0x{insn.opcode:02x}, {insn.dst}, {insn.src}, {insn.off}, {insn.imm}"


def listing(insns: Sequence[Insn], helpers: Mapping[int, str] = _NO_NAMES) -> list[str]:
    """One line an instruction, numbered by slots as the verifier's log is: `   3: r1 = 7`."""
    lines = []
    at = 0
    for insn in insns:
        lines.append(f"{at:4}: {disassemble(insn, helpers)}")
        at += insn.slots
    return lines


def _alu(insn: Insn, reg: str) -> str:
    code, by_reg = insn.opcode & 0xF0, insn.opcode & op.X
    dst, src = f"{reg}{insn.dst}", f"{reg}{insn.src}"
    if code == op.END:
        name = "bswap" if reg == "r" else "be" if by_reg else "le"
        return f"r{insn.dst} = {name}{insn.imm} r{insn.dst}"
    if code == op.NEG:
        return f"{dst} = -{dst}"
    if code == op.MOV and by_reg and insn.off:
        if insn.off == op.ADDR_SPACE_CAST:
            return f"{dst} = addr_space_cast({src}, {insn.imm >> 16 & 0xFFFF}, {insn.imm & 0xFFFF})"
        return f"{dst} = (s{insn.off}){src}"
    operator = (op.ALU_SIGNED_OPERATOR if insn.off == op.SIGNED else op.ALU_OPERATOR).get(code)
    if operator is None:
        return ""
    return f"{dst} {operator} {src if by_reg else insn.imm}"


def _jump(insn: Insn, reg: str, helpers: Mapping[int, str]) -> str:
    code = insn.opcode & 0xF0
    if code == op.CALL and reg == "r":
        if insn.src == op.CALL_LOCAL:
            return f"call pc{insn.imm:+d}"
        if insn.src == op.CALL_KFUNC:
            return f"call kfunc#{insn.imm}" + (f" module {insn.off}" if insn.off else "")
        return f"call {helpers.get(insn.imm, 'unknown')}#{insn.imm}"
    if insn.opcode == op.GOTO:
        return f"goto pc{insn.off:+d}"
    if insn.opcode == op.GOTOL:
        return f"gotol pc{insn.imm:+d}"
    if insn.opcode == op.EXIT_INSN:
        return "exit"
    if insn.opcode == op.MAY_GOTO:
        return f"may_goto pc{insn.off:+d}"
    operator = op.JUMP_OPERATOR.get(code)
    if operator is None:
        return ""
    right = f"{reg}{insn.src}" if insn.opcode & op.X else f"0x{insn.imm & 0xFFFF_FFFF:x}"
    return f"if {reg}{insn.dst} {operator} {right} goto pc{insn.off:+d}"


def _load_immediate(insn: Insn) -> str:
    bits = insn.imm & (1 << 64) - 1
    if insn.src == op.PSEUDO_NONE:
        return f"r{insn.dst} = 0x{bits:x} ll"
    source = LD_IMM64_SOURCE.get(insn.src)
    if source is None:
        return ""
    low, high = bits & 0xFFFF_FFFF, bits >> 32
    return f"r{insn.dst} = {source}[{low}]" + (f"+{high}" if high else "") + " ll"


def _memory(insn: Insn, kind: int) -> str:
    mode, size = insn.opcode & 0xE0, insn.opcode & 0x18
    width = op.SIZE_NAME[size]
    dst, src = f"r{insn.dst}", f"r{insn.src}"
    if kind == op.LDX and mode in (op.MEM, op.MEMSX):
        if mode == op.MEMSX:
            width = op.SIGNED_SIZE_NAME.get(size, "")
        return f"{dst} = *({width} *)({src} {insn.off:+d})" if width else ""
    if kind == op.LD:
        if mode == op.ABS:
            return f"r0 = *({width} *)skb[{insn.imm}]"
        return f"r0 = *({width} *)skb[{src} + {insn.imm}]" if mode == op.IND else ""
    place = f"*({width} *)({dst} {insn.off:+d})"
    if mode == op.MEM and kind in (op.ST, op.STX):
        return f"{place} = {insn.imm if kind == op.ST else src}"
    return _atomic(insn, size, width) if kind == op.STX and mode == op.ATOMIC else ""


def _atomic(insn: Insn, size: int, width: str) -> str:
    dst, src = f"r{insn.dst}", f"r{insn.src}"
    place = f"({width} *)({dst} {insn.off:+d})"
    if insn.imm == op.LOAD_ACQ:
        return f"{dst} = load_acquire(({width} *)({src} {insn.off:+d}))"
    if insn.imm == op.STORE_REL:
        return f"store_release({place}, {src})"
    if size not in (op.W, op.DW):
        return ""
    wide = "64" if size == op.DW else ""
    if insn.imm in op.ATOMIC_NAME:
        return f"lock *{place} {op.ALU_OPERATOR[insn.imm]} {src}"
    if insn.imm == op.XCHG:
        return f"{src} = atomic{wide}_xchg({place}, {src})"
    if insn.imm == op.CMPXCHG:
        return f"r0 = atomic{wide}_cmpxchg({place}, r0, {src})"
    name = op.ATOMIC_NAME.get(insn.imm & ~op.FETCH) if insn.imm & op.FETCH else None
    return f"{src} = atomic{wide}_fetch_{name}({place}, {src})" if name else ""
