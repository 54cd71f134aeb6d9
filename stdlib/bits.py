"""Logarithms and rotations of integers, written in the language itself."""

from __future__ import annotations

from pybpf.stdlib.types import u32, u64

__all__ = ["log2", "log2_up", "rol32"]


def log2(value: u64) -> u32:
    """The position of the highest bit that is set, 0 to 63: the logarithm rounded down. 0 for 0."""
    found: u32 = 0
    if value > 0xFFFF_FFFF:
        value >>= 32
        found = 32
    if value > 0xFFFF:
        value >>= 16
        found += 16
    if value > 0xFF:
        value >>= 8
        found += 8
    if value > 0xF:
        value >>= 4
        found += 4
    if value > 3:
        value >>= 2
        found += 2
    return found + u32(value >> 1)  # 2 and 3 have one bit more


def log2_up(value: u64) -> u32:
    """The logarithm rounded up, 0 to 64: the least n with value <= 2**n. 0 for 0 and 1."""
    if value < 2:
        return 0
    return log2(value - 1) + 1


def rol32(value: u32, count: u32) -> u32:
    """The 32 bits rotated to the left, by 1 to 31."""
    return u32(value << count | value >> (32 - count))
