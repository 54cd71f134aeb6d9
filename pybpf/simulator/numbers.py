"""The numbers of the language on Python ints: arithmetic in 64 bits, as `docs/semantics.md` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["OPERATORS", "arithmetic", "atomic", "floor_divide", "modulo", "signed", "wrap"]


def signed(value: int, bits: int = 64) -> int:
    """The low `bits` of value as a two's-complement number."""
    half = 1 << bits - 1
    return (value & (1 << bits) - 1 ^ half) - half


def wrap(value: int, bits: int, is_signed: bool) -> int:
    """The low `bits` of value, as a signed or an unsigned number."""
    return signed(value, bits) if is_signed else value & (1 << bits) - 1


def floor_divide(x: int, y: int) -> int:
    """x // y, and 0 where y is 0."""
    return x // y if y else 0


def modulo(x: int, y: int) -> int:
    """x % y, and x where y is 0."""
    return x % y if y else x


OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "//": floor_divide,
    "%": modulo,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y,
    "<<": lambda x, y: x << (y & 63),
    ">>": lambda x, y: x >> (y & 63),
}


def arithmetic(op: str, x: int, y: int, is_signed: bool) -> int:
    """x op y, wrapped to 64 bits."""
    return wrap(OPERATORS[op](x, y), 64, is_signed)


def atomic(scalar: Any, place: Any, op: str, expected: int | None, value: int) -> int:
    """What an atomic instruction finds at a place, which it changes."""
    old: int = scalar.load(place)
    if op == "cmpxchg":
        assert expected is not None
        value = value if scalar.encode(old) == scalar.encode(expected) else old
    elif op != "xchg":
        value = {"add": old + value, "and": old & value, "or": old | value, "xor": old ^ value}[op]
    scalar.store(place, value)
    return old
