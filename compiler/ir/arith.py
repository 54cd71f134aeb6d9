"""The ISA's arithmetic on Python ints: what operations of the IR compute, for folding and for interpreting.

Operands and results are 64-bit patterns as unsigned ints (0 .. 2**64 - 1). At width 32 the low halves take part and
the result's upper half is zero. Source: RFC 9669 sections 4.1 to 4.3.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MASK64", "binary", "compare", "extend", "signed", "swap"]

MASK64 = (1 << 64) - 1


def signed(value: int, bits: int = 64) -> int:
    """The low `bits` of value as a two's-complement number."""
    half = 1 << bits - 1
    return (value + half & (half << 1) - 1) - half


def extend(value: int, bits: int, is_signed: bool) -> int:
    """The low `bits` of value, zero- or sign-extended to 64."""
    return signed(value, bits) & MASK64 if is_signed else value & (1 << bits) - 1


def swap(value: int, bits: int) -> int:
    """The low `bits` of value, bytes reversed."""
    size = bits // 8
    return int.from_bytes((value & (1 << bits) - 1).to_bytes(size, "little"), "big")


def binary(op: str, lhs: int, rhs: int, width: int) -> int:
    """lhs `op` rhs (one of ops.BINARY)."""
    mask = (1 << width) - 1
    return _BINARY[op](lhs & mask, rhs & mask, width) & mask


def compare(pred: str, lhs: int, rhs: int, width: int) -> bool:
    """lhs `pred` rhs (one of ops.PREDICATES)."""
    if pred[0] == "s" and pred != "set":
        return _SIGNED[pred](signed(lhs, width), signed(rhs, width))
    mask = (1 << width) - 1
    return _UNSIGNED[pred](lhs & mask, rhs & mask)


def _sdiv(lhs: int, rhs: int, width: int) -> int:
    a, b = signed(lhs, width), signed(rhs, width)
    if b == 0:
        return 0
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _smod(lhs: int, rhs: int, width: int) -> int:
    a, b = signed(lhs, width), signed(rhs, width)
    if b == 0:
        return lhs
    return abs(a) % abs(b) * (-1 if a < 0 else 1)


_BINARY: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda a, b, w: a + b,
    "sub": lambda a, b, w: a - b,
    "mul": lambda a, b, w: a * b,
    "udiv": lambda a, b, w: a // b if b else 0,
    "umod": lambda a, b, w: a % b if b else a,
    "sdiv": _sdiv,
    "smod": _smod,
    "and": lambda a, b, w: a & b,
    "or": lambda a, b, w: a | b,
    "xor": lambda a, b, w: a ^ b,
    "shl": lambda a, b, w: a << (b & w - 1),
    "lshr": lambda a, b, w: a >> (b & w - 1),
    "ashr": lambda a, b, w: signed(a, w) >> (b & w - 1),
}
_UNSIGNED: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ult": lambda a, b: a < b,
    "ule": lambda a, b: a <= b,
    "ugt": lambda a, b: a > b,
    "uge": lambda a, b: a >= b,
    "set": lambda a, b: a & b != 0,
}
_SIGNED: dict[str, Callable[[int, int], bool]] = {
    "slt": lambda a, b: a < b,
    "sle": lambda a, b: a <= b,
    "sgt": lambda a, b: a > b,
    "sge": lambda a, b: a >= b,
}
