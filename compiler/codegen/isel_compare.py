"""Selection rules for comparisons: Branch, with the comparison that it tests folded in, and Cmp as a value."""

from __future__ import annotations

from pybpf.compiler.codegen.isel_arith import extend_32, fits, low_half, signed_32
from pybpf.compiler.codegen.machine import BRANCH_K, BRANCH_X, SET_K, SET_X
from pybpf.compiler.ir import ops
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.codegen.isel import Selector
    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.ir.ops import Value

__all__ = ["COMPARISONS", "fused_branch"]

CODES = {
    "eq": op.JEQ, "ne": op.JNE, "set": op.JSET, "ugt": op.JGT, "uge": op.JGE, "ult": op.JLT, "ule": op.JLE,
    "sgt": op.JSGT, "sge": op.JSGE, "slt": op.JSLT, "sle": op.JSLE,
}  # fmt: skip
LESS = frozenset(("ult", "ule", "slt", "sle"))  # not in ISA level 1
SIGNED = frozenset(("slt", "sle", "sgt", "sge"))

# Opcode, source registers, immediate, and whether the jump is taken when the predicate does *not* hold.
Test = tuple[int, tuple[int, ...], int, bool]


def _test(sel: Selector, pred: str, lhs: Value, rhs: Value, width: int) -> Test:
    if type(lhs) is ops.Const and type(rhs) is not ops.Const:
        pred, lhs, rhs = ops.SWAPPED[pred], rhs, lhs
    kind = op.JMP
    if width == 64:
        left = sel.vreg(lhs)
    elif sel.level >= 3:
        kind = op.JMP32
        lhs, rhs = low_half(sel, lhs), low_half(sel, rhs)
        left = sel.vreg(lhs)
    else:
        # Without 32-bit jumps: both sides extended, by sign where the comparison is signed.
        signed = pred in SIGNED
        left = extend_32(sel, low_half(sel, lhs), signed)
        if type(rhs) is not ops.Const:
            return _registers(sel, pred, left, extend_32(sel, low_half(sel, rhs), signed), kind)
        rhs = ops.Const(signed_32(rhs.value) if signed else rhs.value & 0xFFFF_FFFF)
    if type(rhs) is not ops.Const:
        return _registers(sel, pred, left, sel.vreg(rhs), kind)
    value = signed_32(rhs.value) if kind == op.JMP32 else rhs.value
    if not fits(value):
        return _registers(sel, pred, left, sel.constant(value), kind)
    negated = sel.level < 2 and pred in LESS
    if negated:
        pred = ops.NEGATED[pred]
    return kind | CODES[pred], (left,), value, negated


def _registers(sel: Selector, pred: str, lhs: int, rhs: int, kind: int) -> Test:
    if sel.level < 2 and pred in LESS:
        pred, lhs, rhs = ops.SWAPPED[pred], rhs, lhs
    return kind | CODES[pred] | op.X, (lhs, rhs), 0, False


def fused_branch(sel: Selector, branch: ops.Branch) -> list[Block]:
    """Emit the branch; returns its targets, the one that it jumps to first."""
    pred, lhs, rhs, width = branch.pred, branch.lhs, branch.rhs, branch.width
    targets = [branch.then, branch.other]
    while type(lhs) is ops.Cmp and type(rhs) is ops.Const and rhs.value == 0 and pred in ("eq", "ne"):
        if pred == "eq":
            targets.reverse()
        cmp = lhs
        pred, lhs, rhs, width = cmp.pred, cmp.lhs, cmp.rhs, cmp.width
    opcode, srcs, imm, negated = _test(sel, pred, lhs, rhs, width)
    if negated:
        targets.reverse()
    if len(srcs) == 1:
        sel.tested[srcs[0]] = _whole(lhs)
    sel.emit(BRANCH_X if len(srcs) == 2 else BRANCH_K, opcode, -1, srcs, imm=imm)
    return targets


def _whole(value: Value) -> Value:
    """What is guarded or extended: the value that most is computed from."""
    while type(value) in (ops.Guard, ops.Extend):
        value = value.value  # type: ignore[attr-defined]
    return value


def _cmp(sel: Selector, cmp: ops.Cmp) -> None:
    opcode, srcs, imm, negated = _test(sel, cmp.pred, cmp.lhs, cmp.rhs, cmp.width)
    # `off` is the result if the jump is taken.
    sel.emit(SET_X if len(srcs) == 2 else SET_K, opcode, sel.vregs[cmp], srcs, int(not negated), imm)


COMPARISONS: dict[type, Callable[[Selector, Any], None]] = {ops.Cmp: _cmp}
