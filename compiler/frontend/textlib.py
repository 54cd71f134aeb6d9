"""What a program can do with the bytes of a text, written in the language itself and inlined where it is used.

Each function takes a text or bytes object and its size. A text ends at its first NUL, if there is one. Sizes, and the
texts that are looked for, are constants; `raw[i : i + n]` has a constant length. Memory that can't be read byte by byte
is copied first, to a place that is free again when the function returns.
"""

from __future__ import annotations

__all__ = ["bytes_of", "ends_with", "find", "has", "length", "order"]


def bytes_of(text: bytes) -> bytes:
    """All bytes of a text, those behind its NUL too. The compiler knows what it means (texts.bytes_of)."""
    return text


def length(text: bytes, size: int) -> int:
    """Bytes before the NUL: 0 to size."""
    raw = bytes_of(text)
    for i in range(size):
        if raw[i] == 0:
            return i
    return size


def find(text: bytes, size: int, wanted: bytes, count: int, ends: bool) -> int:
    """Where the `count` bytes `wanted` are first found; -1 if they are not. `ends`: at a NUL."""
    raw = bytes_of(text)
    for i in range(size - count + 1):
        if raw[i : i + count] == wanted:
            return i
        if ends and raw[i] == 0:
            return -1
    return -1


def ends_with(text: bytes, size: int, wanted: bytes, count: int) -> bool:
    """Whether the last bytes of a text are the `count` bytes `wanted`."""
    raw = bytes_of(text)
    n = length(raw, size)
    if n < count:
        return False
    at = n - count
    return raw[at : at + count] == wanted


def has(text: bytes, size: int, wanted: int) -> bool:
    """Whether one of the bytes has that value."""
    raw = bytes_of(text)
    for i in range(size):  # noqa: SIM110 (programs have no generators)
        if raw[i] == wanted:
            return True
    return False


def order(lhs: bytes, size_a: int, rhs: bytes, size_b: int, ends: bool) -> int:
    """-1, 0 or 1: whether the first comes before the second. The order of UTF-8 bytes is that of the characters."""
    a = bytes_of(lhs)
    b = bytes_of(rhs)
    for i in range(min(size_a, size_b)):
        if a[i] != b[i]:
            return -1 if a[i] < b[i] else 1
        if ends and a[i] == 0:
            return 0
    if size_a > size_b and (not ends or a[size_b] != 0):
        return 1
    if size_b > size_a and (not ends or b[size_a] != 0):
        return -1
    return 0
