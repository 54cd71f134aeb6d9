"""Selection rules for arithmetic: Binary, PtrAdd, Extend, Swap."""

from __future__ import annotations

from pybpf.compiler.codegen.machine import ALU_K, ALU_X, MOV_X, copy
from pybpf.compiler.ir import ops
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.schema.core import WIDE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.codegen.isel import Selector
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["ARITHMETIC", "is_redundant", "low_half", "shift_pair", "significant_bits", "used_whole"]

CODES = {
    "add": op.ADD, "sub": op.SUB, "mul": op.MUL, "udiv": op.DIV, "umod": op.MOD, "sdiv": op.DIV, "smod": op.MOD,
    "and": op.AND, "or": op.OR, "xor": op.XOR, "shl": op.LSH, "lshr": op.RSH, "ashr": op.ARSH,
}  # fmt: skip
COMMUTATIVE = frozenset(("add", "mul", "and", "or", "xor"))
SHIFTS = frozenset(("shl", "lshr", "ashr"))
DIVISIONS = frozenset(("udiv", "umod", "sdiv", "smod"))
_PATCHED = frozenset(("add", "sub", "shl", "lshr", "ashr"))  # with an immediate that the loader puts in
FOLLOWED = frozenset(("add", "sub", "and"))  # by the verifier where both operands are unknown (before Linux 6.10)
# Operations whose low 32 bits depend on their operands' low 32 bits only.
LOW_HALF_ONLY = frozenset(("add", "sub", "mul", "and", "or", "xor"))


def fits(value: int) -> bool:
    """The constant can be a (sign-extended) 32-bit immediate."""
    return -0x8000_0000 <= value < 0x8000_0000


def signed_32(value: int) -> int:
    """The low 32 bits as the immediate of a 32-bit operation."""
    return (value + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000


def used_whole(sel: Selector, extended: list[tuple[Op, ops.Extend]]) -> set[Value]:
    """Which extensions have a user that needs more than their low half. Given are all users, each with what it uses."""
    halved: set[Value] = set()
    if sel.level >= 3:
        halved = {extend.value for _, extend in extended if extend.bits == 32 and not extend.signed}
    return {extend for user, extend in extended if not _takes_low_half(sel, user, halved)}


def _takes_low_half(sel: Selector, user: Op, halved: set[Value]) -> bool:
    """The operation depends on the low 32 bits of its integers only. `halved` are those that are zero-extended."""
    if type(user) is ops.Store:
        return user.bits <= 32
    if isinstance(user, (ops.Binary, ops.Branch, ops.Cmp)):
        return user.width == 32 or (user in halved and _narrows(sel, user))
    return False


def low_half(sel: Selector, value: Value) -> Value:
    """A value with the same low 32 bits, without the operation that extends them.

    If something else needs what is extended, that it is: a comparison tells the verifier about the register that it
    compares, and about no other.
    """
    while type(value) is ops.Extend and value.bits >= 32 and value not in sel.whole:
        value = value.value
    return value


def significant_bits(value: Value, depth: int = 4) -> int:
    """A number n so that value < 2**n, from its operation alone; only what the verifier sees as well."""
    kind = type(value)
    v: Any = value
    if kind is ops.Load:
        return 64 if v.signed else int(v.bits)
    if kind is ops.Const:
        return int(v.value.bit_length()) if v.value >= 0 else 64
    if kind is ops.Cmp:
        return 1
    if kind is ops.Guard and depth:
        return significant_bits(v.value, depth - 1)
    if kind is ops.Extend:
        return 64 if v.signed else min(v.bits, significant_bits(v.value, depth - 1) if depth else 64)
    if kind is ops.Binary:
        if v.op in DIVISIONS or (v.op not in FOLLOWED and type(v.rhs) is not ops.Const):
            return 64  # the verifier gives up on them, also on 32 bits that they have
        known = int(v.width)
        if v.op == "and" and type(v.rhs) is ops.Const and v.rhs.value >= 0:
            known = min(known, v.rhs.value.bit_length())
        elif v.op == "lshr" and type(v.rhs) is ops.Const:
            known -= v.rhs.value & v.width - 1
        return known
    return 64


def is_redundant(extend: ops.Extend) -> bool:
    """The extension changes nothing: its operand has no more bits."""
    return significant_bits(extend.value) <= extend.bits - extend.signed


def shift_pair(sel: Selector, dst: int, src: int, bits: int, back: int) -> None:
    """dst = the low `bits` of src, extended by shifting up and `back` (RSH or ARSH)."""
    up = sel.temp()
    sel.emit(ALU_K, op.ALU64 | op.LSH, up, (src,), imm=64 - bits)
    sel.emit(ALU_K, op.ALU64 | back, dst, (up,), imm=64 - bits)


def _binary(sel: Selector, binary: ops.Binary) -> None:
    dst = sel.vregs[binary]
    if binary.width == 64:
        _operate(sel, dst, binary.op, binary.lhs, binary.rhs, op.ALU64)
    elif sel.level >= 3:
        _operate(sel, dst, binary.op, low_half(sel, binary.lhs), low_half(sel, binary.rhs), op.ALU)
    else:
        _operate_32_by_64(sel, dst, binary)


def _operate(sel: Selector, dst: int, name: str, lhs: Value, rhs: Value, kind: int) -> None:
    """dst = lhs `name` rhs, in 64 bits (kind ALU64) or 32 (ALU)."""
    if type(lhs) is ops.Const and name in COMMUTATIVE:
        lhs, rhs = rhs, lhs
    if type(rhs) is ops.Relocated and sel.uses(rhs) == 1 and rhs.fact.kind not in WIDE and name in _PATCHED:
        fact = rhs.fact
        sel.emit(ALU_K, kind | CODES[name], dst, (sel.vreg(lhs),), imm=fact.value, ref=fact)
    elif type(rhs) is ops.Const:
        _operate_constant(sel, dst, name, lhs, rhs.value if kind == op.ALU64 else signed_32(rhs.value), kind)
    elif name == "sub" and type(lhs) is ops.Const and lhs.value == 0:
        sel.emit(ALU_K, kind | op.NEG, dst, (sel.vreg(rhs),))
    else:
        _operate_registers(sel, dst, name, sel.vreg(lhs), sel.vreg(rhs), kind)


def _operate_registers(sel: Selector, dst: int, name: str, lhs: int, rhs: int, kind: int) -> None:
    if name in ("sdiv", "smod") and sel.level < 4:
        _divide_signed(sel, dst, name, lhs, rhs, kind)
    else:
        off = op.SIGNED if name in ("sdiv", "smod") else 0
        sel.emit(ALU_X, kind | CODES[name] | op.X, dst, (lhs, rhs), off)


def _operate_constant(sel: Selector, dst: int, name: str, lhs: Value, value: int, kind: int) -> None:
    src = sel.vreg(lhs)
    width = 64 if kind == op.ALU64 else 32
    if name in SHIFTS:
        value &= width - 1
    if value == 0 and name in DIVISIONS:
        # The verifier refuses a zero immediate: x / 0 is 0, x % 0 is x.
        if name in ("udiv", "sdiv"):
            sel.emit(ALU_K, kind | op.AND, dst, (src,))
        else:
            _copy(sel, dst, src, kind)
        return
    if name == "sub" and fits(-value):
        name, value = "add", -value
    if name == "and" and value == 0xFFFF_FFFF and kind == op.ALU64:
        _zero_extend_32(sel, dst, src)
    elif not fits(value):
        _operate_registers(sel, dst, name, src, sel.constant(value), kind)
    elif name in ("sdiv", "smod") and sel.level < 4:
        _divide_signed_constant(sel, dst, name, src, value, kind)
    else:
        off = op.SIGNED if name in ("sdiv", "smod") else 0
        sel.emit(ALU_K, kind | CODES[name], dst, (src,), off, value)


def _copy(sel: Selector, dst: int, src: int, kind: int) -> None:
    """dst = src, or its low half."""
    if kind == op.ALU64:
        sel.out.append(copy(dst, src, span=sel.span))
    else:
        sel.emit(MOV_X, op.MOV32_REG, dst, (src,))


def _zero_extend_32(sel: Selector, dst: int, src: int) -> None:
    if sel.level >= 3:
        sel.emit(MOV_X, op.MOV32_REG, dst, (src,))
    else:
        shift_pair(sel, dst, src, 32, op.RSH)


def _divide_signed(sel: Selector, dst: int, name: str, lhs: int, rhs: int, kind: int) -> None:
    """Signed division by an unsigned one, without branches. With s the sign (0 or -1), |x| = (x ^ s) - s.

    The quotient is negative if the signs differ, the remainder if the dividend is. x / 0 = 0 and x % 0 = x come out
    right; so does the smallest number by -1, whose magnitude is 2**63 as an unsigned number.
    """
    if kind == op.ALU:
        # Both fit 64 bits, where the quotient of the extreme case does too; its low half is the answer.
        wide = [sel.temp(), sel.temp(), sel.temp()]
        shift_pair(sel, wide[0], lhs, 32, op.ARSH)
        shift_pair(sel, wide[1], rhs, 32, op.ARSH)
        _divide_signed(sel, wide[2], name, wide[0], wide[1], op.ALU64)
        _zero_extend_32(sel, dst, wide[2])
        return
    lhs_sign, rhs_sign = sel.temp(), sel.temp()
    sel.emit(ALU_K, op.ALU64 | op.ARSH, lhs_sign, (lhs,), imm=63)
    sel.emit(ALU_K, op.ALU64 | op.ARSH, rhs_sign, (rhs,), imm=63)
    result = sel.temp()
    sizes = [_flip(sel, lhs, lhs_sign), _flip(sel, rhs, rhs_sign)]
    sel.emit(ALU_X, op.ALU64 | CODES[name] | op.X, result, (sizes[0], sizes[1]))
    sign = lhs_sign
    if name == "sdiv":
        sign = sel.temp()
        sel.emit(ALU_X, op.ALU64 | op.XOR | op.X, sign, (lhs_sign, rhs_sign))
    _flip(sel, result, sign, dst)


def _divide_signed_constant(sel: Selector, dst: int, name: str, lhs: int, divisor: int, kind: int) -> None:
    """The same by a constant other than 0, whose sign and magnitude are known. The divisor fits an immediate."""
    if kind == op.ALU:
        wide = [sel.temp(), sel.temp()]
        shift_pair(sel, wide[0], lhs, 32, op.ARSH)
        _divide_signed_constant(sel, wide[1], name, wide[0], divisor, op.ALU64)
        _zero_extend_32(sel, dst, wide[1])
        return
    sign, result = sel.temp(), sel.temp()
    sel.emit(ALU_K, op.ALU64 | op.ARSH, sign, (lhs,), imm=63)
    size = _flip(sel, lhs, sign)
    if fits(abs(divisor)):
        sel.emit(ALU_K, op.ALU64 | CODES[name], result, (size,), imm=abs(divisor))
    else:
        sel.emit(ALU_X, op.ALU64 | CODES[name] | op.X, result, (size, sel.constant(abs(divisor))))
    if name == "sdiv" and divisor < 0:
        opposite = sel.temp()
        sel.emit(ALU_K, op.ALU64 | op.XOR, opposite, (sign,), imm=-1)
        sign = opposite
    _flip(sel, result, sign, dst)


def _flip(sel: Selector, value: int, sign: int, dst: int = -1) -> int:
    """(value ^ sign) - sign: negated where sign is -1."""
    flipped = sel.temp()
    dst = sel.temp() if dst < 0 else dst
    sel.emit(ALU_X, op.ALU64 | op.XOR | op.X, flipped, (value, sign))
    sel.emit(ALU_X, op.ALU64 | op.SUB | op.X, dst, (flipped, sign))
    return dst


def _operate_32_by_64(sel: Selector, dst: int, binary: ops.Binary) -> None:
    """A 32-bit operation in the base ISA, which has 64-bit arithmetic only."""
    name = binary.op
    lhs, rhs = low_half(sel, binary.lhs), low_half(sel, binary.rhs)
    if name in LOW_HALF_ONLY:
        if sel.ranges.of(ops.Binary(name, lhs, rhs))[1] <= 0xFFFF_FFFF:  # what shifts would forget in part
            _operate(sel, dst, name, lhs, rhs, op.ALU64)
            return
        wide = sel.temp()
        _operate(sel, wide, name, lhs, _signed_constant(rhs), op.ALU64)
        shift_pair(sel, dst, wide, 32, op.RSH)
        return
    left = extend_32(sel, lhs, name in ("ashr", "sdiv", "smod"))
    if name in SHIFTS:
        wide = dst if name == "lshr" else sel.temp()
        if type(rhs) is ops.Const:
            sel.emit(ALU_K, op.ALU64 | CODES[name], wide, (left,), imm=rhs.value & 31)
        else:
            count = sel.temp()
            sel.emit(ALU_K, op.ALU64 | op.AND, count, (sel.vreg(rhs),), imm=31)
            sel.emit(ALU_X, op.ALU64 | CODES[name] | op.X, wide, (left, count))
        if wide != dst:
            shift_pair(sel, dst, wide, 32, op.RSH)
        return
    right = extend_32(sel, rhs, name in ("sdiv", "smod"))
    wide = dst if name in ("udiv", "umod") else sel.temp()
    _operate_registers(sel, wide, name, left, right, op.ALU64)
    if wide != dst:
        shift_pair(sel, dst, wide, 32, op.RSH)


def _signed_constant(value: Value) -> Value:
    """A constant with the same low half that is an immediate; any other value as it is."""
    return ops.Const(signed_32(value.value)) if type(value) is ops.Const else value


def extend_32(sel: Selector, value: Value, signed: bool) -> int:
    """A register with the low half of value, extended to 64 bits by shifts if need be."""
    if type(value) is ops.Const:
        return sel.constant(signed_32(value.value) if signed else value.value & 0xFFFF_FFFF)
    if sel.ranges.of(value)[1] < 1 << 32 - signed:  # as facts.py, which has it that this is what is compared
        return sel.vreg(value)
    dst = sel.temp()
    shift_pair(sel, dst, sel.vreg(value), 32, op.ARSH if signed else op.RSH)
    return dst


def _ptradd(sel: Selector, add: ops.PtrAdd) -> None:
    dst, base = sel.vregs[add], sel.vreg(add.base)
    if type(add.offset) is ops.Relocated and sel.uses(add.offset) == 1:
        fact = add.offset.fact
        sel.emit(ALU_K, op.ALU64 | op.ADD, dst, (base,), imm=fact.value, ref=fact)
    elif type(add.offset) is ops.Const and fits(add.offset.value):
        sel.emit(ALU_K, op.ALU64 | op.ADD, dst, (base,), imm=add.offset.value)
    else:
        if sel.function.program is None:
            # A number to which the address of a stack slot is added is taken for an address in the program's frame,
            # not in the function's (adjust_ptr_min_max_vals copies no frameno), so the address comes first. It is a
            # copy that dies here, so the allocator does not exchange the operands.
            copied = sel.temp()
            sel.emit(MOV_X, op.MOV_REG, copied, (base,))
            base = copied
        sel.emit(ALU_X, op.ALU64 | op.ADD | op.X, dst, (base, sel.vreg(add.offset)))


def _to_int(sel: Selector, to: ops.ToInt) -> None:
    """The verifier knows nothing of a negated pointer (check_alu_op, kernel/bpf/verifier.c): it is a number then."""
    negated = sel.temp()
    sel.emit(ALU_K, op.ALU64 | op.NEG, negated, (sel.vreg(to.value),))
    sel.emit(ALU_K, op.ALU64 | op.NEG, sel.vregs[to], (negated,))


def _arena_cast(sel: Selector, cast: ops.ArenaCast) -> None:
    """From address space 1 to 0: what the verifier takes for PTR_TO_ARENA, from a number of any kind."""
    sel.emit(MOV_X, op.MOV_REG, sel.vregs[cast], (sel.vreg(cast.value),), op.ADDR_SPACE_CAST, 1)


def _extend(sel: Selector, extend: ops.Extend) -> None:
    dst, value, bits = sel.vregs[extend], extend.value, extend.bits
    if extend.signed:
        if sel.level >= 4:
            sel.emit(MOV_X, op.MOV_REG, dst, (sel.vreg(value),), bits)
        else:
            shift_pair(sel, dst, sel.vreg(value), bits, op.ARSH)
    elif bits < 32:
        kind = op.ALU if sel.level >= 3 else op.ALU64
        sel.emit(ALU_K, kind | op.AND, dst, (sel.vreg(value),), imm=(1 << bits) - 1)
    elif sel.level >= 3 and type(value) is ops.Extend and value.signed and value.bits < 32 and sel.uses(value) == 1:
        _extend_in_32(sel, dst, sel.vreg(value.value), value.bits)
    elif sel.level >= 3 and _narrows(sel, value):
        _operate(sel, dst, value.op, low_half(sel, value.lhs), low_half(sel, value.rhs), op.ALU)  # type: ignore[attr-defined]
    else:
        _zero_extend_32(sel, dst, sel.vreg(value))


def _extend_in_32(sel: Selector, dst: int, src: int, bits: int) -> None:
    """dst = the low `bits` of src, sign-extended to 32 and then zero-extended."""
    if sel.level >= 4:
        sel.emit(MOV_X, op.MOV32_REG, dst, (src,), bits)
        return
    up = sel.temp()
    sel.emit(ALU_K, op.ALU | op.LSH, up, (src,), imm=32 - bits)
    sel.emit(ALU_K, op.ALU | op.ARSH, dst, (up,), imm=32 - bits)


def _narrows(sel: Selector, value: Value) -> bool:
    """The 64-bit operation is used for its low half alone, and a 32-bit one gives that."""
    if type(value) is not ops.Binary or sel.uses(value) != 1:
        return False
    if value.op == "shl":
        return type(value.rhs) is ops.Const and 0 <= value.rhs.value < 32
    return value.op in LOW_HALF_ONLY


def _swap(sel: Selector, swap: ops.Swap) -> None:
    # The target is little-endian: to big-endian order is to reverse.
    sel.emit(ALU_K, op.BSWAP if sel.level >= 4 else op.TO_BE, sel.vregs[swap], (sel.vreg(swap.value),), imm=swap.bits)


ARITHMETIC: dict[type, Callable[[Selector, Any], None]] = {
    ops.Binary: _binary,
    ops.PtrAdd: _ptradd,
    ops.ToInt: _to_int,
    ops.ArenaCast: _arena_cast,
    ops.Extend: _extend,
    ops.Swap: _swap,
}
