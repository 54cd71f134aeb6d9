"""What a program can do with the bytes of a text, written in the language itself and inlined where it is used.

Each function takes `raw`, all bytes of a text or bytes object, and their number. A text ends at its first NUL, if there
is one. Sizes, and the texts that are looked for, are constants; `raw[i : i + n]` has a constant length.
"""

from __future__ import annotations

__all__ = ["ends_with", "find", "has", "length", "order"]


def length(raw: bytes, size: int) -> int:
    """Bytes before the NUL: 0 to size."""
    for i in range(size):
        if raw[i] == 0:
            return i
    return size


def find(raw: bytes, size: int, wanted: bytes, count: int, text: bool) -> int:
    """Where the `count` bytes `wanted` are first found; -1 if they are not."""
    for i in range(size - count + 1):
        if raw[i : i + count] == wanted:
            return i
        if text and raw[i] == 0:
            return -1
    return -1


def ends_with(raw: bytes, size: int, wanted: bytes, count: int) -> bool:
    """Whether the last bytes of a text are the `count` bytes `wanted`."""
    n = length(raw, size)
    if n < count:
        return False
    at = n - count
    return raw[at : at + count] == wanted


def has(raw: bytes, size: int, wanted: int) -> bool:
    """Whether one of the bytes has that value."""
    for i in range(size):  # noqa: SIM110 (programs have no generators)
        if raw[i] == wanted:
            return True
    return False


def order(a: bytes, size_a: int, b: bytes, size_b: int, text: bool) -> int:
    """-1, 0 or 1: whether `a` comes before `b`, byte by byte. The order of UTF-8 is that of its characters."""
    for i in range(min(size_a, size_b)):
        if a[i] != b[i]:
            return -1 if a[i] < b[i] else 1
        if text and a[i] == 0:
            return 0
    if size_a > size_b and (not text or a[size_b] != 0):
        return 1
    if size_b > size_a and (not text or b[size_a] != 0):
        return -1
    return 0
