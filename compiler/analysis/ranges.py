"""What is known of an integer: its smallest and largest value, and the bits that may be set.

`Ranges().of(value)` gives `(low, high, mask)` about the 64-bit pattern as an unsigned number. It deliberately
knows no more than the verifier does (kernel/bpf/verifier.c, adjust_scalar_min_max_vals), on any kernel we support and
in the code of any ISA level: nothing of quotients, remainders, shifts by a variable count, swapped bytes or results of
calls; nothing of two unknown numbers' product, or what `|` and `^` make of them (before Linux 6.10), not even that such
a result of 32 bits has no more of them. So a mask or an extension that is redundant by this analysis is redundant to
the verifier too, and may go without losing a bound that a memory access needs.

What branches have checked is not in here (facts.py has it): the verifier forgets that, on older kernels, when the value
has been on the stack. Phis know what all their operands know; nothing is known of values that go around a loop.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.arith import MASK64, compare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.ir.ops import Value

__all__ = ["HALF", "MASK32", "TOP", "Known", "Ranges", "decide", "narrowed"]

Known = tuple[int, int, int]
TOP: Known = (0, MASK64, MASK64)
MASK32 = (1 << 32) - 1
HALF = 1 << 63  # the first number that is negative
DEPTH = 10  # how far back operands are followed


class Ranges:
    """Answers, computed on demand and kept; to be made anew when operations have changed their meaning."""

    def __init__(self) -> None:
        self._known: dict[Value, Known] = {}

    def of(self, value: Value, depth: int = DEPTH) -> Known:
        """(low, high, mask) of the value."""
        if type(value) is ops.Const:
            n = value.value & MASK64
            return n, n, n
        if value in self._known:
            return self._known[value]
        rule = _RULES.get(type(value))
        if rule is None or depth == 0:
            return TOP
        self._known[value] = TOP  # what a value that goes around a loop sees of itself
        found = rule(self, value, depth - 1)
        self._known[value] = found
        return found

    def on_way(self, phi: ops.Phi, source: Block, value: Value, depth: int) -> Known:
        """(low, high, mask) of a value where control comes from a block to the phi."""
        return self.of(value, depth)

    def not_null(self, value: Value) -> bool:
        """The pointer is known not to be null."""
        return type(value) in (ops.SlotAddr, ops.MapAddr, ops.GlobalAddr, ops.FuncAddr, ops.PtrAdd) or (
            type(value) is ops.Guard and value.kind == "ptr" and type(value.value) is not ops.Const
        )

    def decides(self, pred: str, lhs: Value, rhs: Value, width: int) -> bool | None:
        """Whether lhs `pred` rhs, where that is known."""
        if lhs.kind == "ptr" or rhs.kind == "ptr":
            null = type(rhs) is ops.Const and rhs.value == 0
            return {"eq": False, "ne": True}.get(pred) if null and self.not_null(lhs) else None
        if type(lhs) is ops.Const and type(rhs) is ops.Const:
            return compare(pred, lhs.value & MASK64, rhs.value & MASK64, width)
        return decide(pred, self.of(lhs), self.of(rhs), width)


def decide(pred: str, lhs: Known, rhs: Known, width: int) -> bool | None:
    """Whether lhs `pred` rhs for all values in the ranges; None if that is open."""
    (al, ah, am), (bl, bh, bm) = _low(lhs, width), _low(rhs, width)
    if pred == "set":
        return False if am & bm == 0 else None
    half = 1 << width - 1
    if pred[0] == "s" and pred != "set":
        if (al < half <= ah) or (bl < half <= bh):
            return None
        if (ah < half) != (bh < half):
            return (ah < half) == (pred[1] == "g")
        pred = "u" + pred[1:]
    if pred in ("eq", "ne"):
        if ah < bl or bh < al or (al == ah and al & ~bm) or (bl == bh and bl & ~am):
            return pred == "ne"
        return None
    if pred in ("ugt", "uge"):
        pred = ops.SWAPPED[pred]
        al, ah, bl, bh = bl, bh, al, ah
    if pred == "ult":
        return True if ah < bl else False if al >= bh else None
    return True if ah <= bl else False if al > bh else None


def narrowed(known: Known, pred: str, bound: int) -> Known:
    """What is known of a value that also satisfies value `pred` bound, at 64 bits."""
    low, high, mask = known
    match pred:
        case "eq":
            low = high = bound
        case "ult" if bound:
            high = min(high, bound - 1)
        case "ule":
            high = min(high, bound)
        case "ugt" if bound < MASK64:
            low = max(low, bound + 1)
        case "uge":
            low = max(low, bound)
        case "sgt" if bound == MASK64 or bound < HALF - 1:
            low, high = max(low, bound + 1 & MASK64), min(high, HALF - 1)
        case "sge" if bound < HALF:
            low, high = max(low, bound), min(high, HALF - 1)
        case "slt" | "sle" if high < HALF and bound < HALF:
            high = min(high, max(bound - (pred == "slt"), 0))
    return known if low > high else _made(low, high, mask)


def _made(low: int, high: int, mask: int) -> Known:
    high = min(high, mask)
    mask &= (1 << high.bit_length()) - 1
    return (low, high, mask) if low <= high else (0, high, mask)


def _low(known: Known, width: int) -> Known:
    """What is known of the low `width` bits."""
    _, high, mask = known
    top = (1 << width) - 1
    return known if high <= top else (0, mask & top, mask & top)


def _binary(self: Ranges, op: ops.Binary, depth: int) -> Known:
    width = op.width
    top = (1 << width) - 1
    constant = type(op.rhs) is ops.Const
    if not constant and op.op not in _OF_UNKNOWN and (op.op not in _EITHER or type(op.lhs) is not ops.Const):
        return TOP
    al, ah, am = _operand(self.of(op.lhs, depth), width)
    bl, bh, bm = _operand(self.of(op.rhs, depth), width)
    found = 0, top, top
    match op.op:
        case "udiv" | "umod" | "sdiv" | "smod":
            return TOP
        case "and":
            found = _made(0, min(ah, bh), am & bm)
        case "or":
            found = _made(max(al, bl), am | bm, am | bm)
        case "xor":
            found = _made(0, am | bm, am | bm)
        case "add" if ah + bh <= top:
            found = _made(al + bl, ah + bh, top)
        case "add" if al + bl > top and min(ah, bh) <= top >> 1:  # a negative number is added: signed bounds tell
            found = _made(al + bl & top, ah + bh & top, top)
        case "sub" if al >= bh and (not constant or ah <= top >> 1):  # of a constant: a negative number is added
            found = _made(al - bh, ah - bl, top)
        case "mul" if ah <= (1 << width // 2) - 1 >= bh:
            found = _made(al * bl, ah * bh, top)
        case "shl" if ah <= 1 << width - 1 - (bl & width - 1):
            found = _made(al << (bl & width - 1), ah << (bl & width - 1), am << (bl & width - 1) & top)
        case "shl":
            shifted = am << (bl & width - 1) & top
            found = 0, shifted, shifted
        case "lshr":
            bl &= width - 1
            found = _made(al >> bl, ah >> bl, am >> bl)
        case "ashr" if ah <= top >> 1:
            bl &= width - 1
            found = _made(al >> bl, ah >> bl, am >> bl)
    return found if width == 64 else _extended(found)


def _operand(known: Known, width: int) -> Known:
    return known if width == 64 else _low(known, width)


def _extended(known: Known) -> Known:
    """Of 32 bits that are extended by two shifts where the ISA has nothing better, and by which ranges are lost."""
    _, high, mask = known
    return known if high <= 1 << 31 else (0, mask, mask)


def _extend(self: Ranges, op: ops.Extend, depth: int) -> Known:
    known = self.of(op.value, depth)
    if op.signed:  # the verifier's move that extends the sign looks at the whole range, not at bits
        return known if known[1] < 1 << op.bits - 1 else TOP
    low, high, mask = _low(known, op.bits)
    return (0, high, mask) if op.bits < 32 else _extended((low, high, mask))  # a mask forgets the smallest


def _load(self: Ranges, op: ops.Load, depth: int) -> Known:
    top = (1 << op.bits) - 1
    return TOP if op.signed or op.kind == "ptr" else (0, top, top)


def _phi(self: Ranges, op: ops.Phi, depth: int) -> Known:
    if op.kind == "ptr" or not op.incoming:
        return TOP
    low, high, mask = MASK64, 0, 0
    for source, value in op.incoming:
        a, b, c = self.on_way(op, source, value, depth)
        low, high, mask = min(low, a), max(high, b), mask | c
        if mask == MASK64 and high == MASK64:
            return TOP
    return low, high, mask


_OF_UNKNOWN = ("add", "sub", "and")  # what the verifier follows where neither operand is a constant
_EITHER = ("mul", "or", "xor")  # where one of them is

_RULES: dict[type, Callable[[Ranges, Any, int], Known]] = {
    ops.Binary: _binary,
    ops.Extend: _extend,
    ops.Load: _load,
    ops.Phi: _phi,
    ops.Guard: lambda self, op, depth: self.of(op.value, depth),
    ops.Cmp: lambda self, op, depth: (0, 1, 1),
}
