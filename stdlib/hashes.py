"""Hash functions, written in the language itself: the kernel's jhash (include/linux/jhash.h), with the same values, and
FNV-1a.

    slot = jhash_2words(ip.saddr, ip.daddr, 0) % SLOTS
    h = jhash(bytes(flow))
"""

from __future__ import annotations

from pybpf.stdlib.bits import rol32
from pybpf.stdlib.types import u32, u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["JHASH_INITVAL", "fnv1a", "jhash", "jhash2", "jhash_1word", "jhash_2words", "jhash_3words"]

JHASH_INITVAL = 0xDEAD_BEEF
_FNV_OFFSET = 0xCBF2_9CE4_8422_2325
_FNV_PRIME = 0x100_0000_01B3


def _mix(a: u32, b: u32, c: u32) -> tuple[u32, u32, u32]:
    a = u32(a - c) ^ rol32(c, 4)
    c = u32(c + b)
    b = u32(b - a) ^ rol32(a, 6)
    a = u32(a + c)
    c = u32(c - b) ^ rol32(b, 8)
    b = u32(b + a)
    a = u32(a - c) ^ rol32(c, 16)
    c = u32(c + b)
    b = u32(b - a) ^ rol32(a, 19)
    a = u32(a + c)
    c = u32(c - b) ^ rol32(b, 4)
    b = u32(b + a)
    return a, b, c


def _final(a: u32, b: u32, c: u32) -> u32:
    c = u32((c ^ b) - rol32(b, 14))
    a = u32((a ^ c) - rol32(c, 11))
    b = u32((b ^ a) - rol32(a, 25))
    c = u32((c ^ b) - rol32(b, 16))
    a = u32((a ^ c) - rol32(c, 4))
    b = u32((b ^ a) - rol32(a, 14))
    return u32((c ^ b) - rol32(b, 24))


def jhash_3words(a: u32, b: u32, c: u32, initval: u32 = 0) -> u32:
    """The hash of three numbers."""
    seed = u32(initval + JHASH_INITVAL + 12)
    return _final(u32(a + seed), u32(b + seed), u32(c + seed))


def jhash_2words(a: u32, b: u32, initval: u32 = 0) -> u32:
    """The hash of two numbers."""
    seed = u32(initval + JHASH_INITVAL + 8)
    return _final(u32(a + seed), u32(b + seed), seed)


def jhash_1word(a: u32, initval: u32 = 0) -> u32:
    """The hash of a number."""
    seed = u32(initval + JHASH_INITVAL + 4)
    return _final(u32(a + seed), seed, seed)


def jhash2(words: Sequence[int], initval: u32 = 0) -> u32:
    """The hash of an `Array[u32, L[n]]`, as jhash2() of the kernel has it."""
    count = len(words)
    seed = u32(JHASH_INITVAL + 4 * count + initval)
    a, b, c = seed, seed, seed
    rounds = (count + 2) // 3 - 1  # the last one to three words are left for the end
    for i in range(rounds):
        a, b, c = _mix(u32(a + words[3 * i]), u32(b + words[3 * i + 1]), u32(c + words[3 * i + 2]))
    first = 3 * rounds
    for i in range(count - first):
        if i == 0:
            a = u32(a + words[first + i])
        elif i == 1:
            b = u32(b + words[first + i])
        else:
            c = u32(c + words[first + i])
    return _final(a, b, c)


def _word(data: bytes, at: int) -> u32:
    return u32(int.from_bytes(data[at : at + 4], "little"))


def jhash(data: bytes, initval: u32 = 0) -> u32:
    """The hash of bytes: a `Bytes[L[n]]`, a constant, or `bytes(struct)`."""
    length = len(data)
    seed = u32(JHASH_INITVAL + length + initval)
    a, b, c = seed, seed, seed
    if length == 0:
        return seed
    rounds = (length + 11) // 12 - 1  # the last one to twelve bytes are left for the end
    for i in range(rounds):
        at = 12 * i
        a, b, c = _mix(u32(a + _word(data, at)), u32(b + _word(data, at + 4)), u32(c + _word(data, at + 8)))
    first = 12 * rounds
    for i in range(length - first):
        more = data[first + i] << (i % 4 * 8)
        if i < 4:
            a = u32(a + more)
        elif i < 8:
            b = u32(b + more)
        else:
            c = u32(c + more)
    return _final(a, b, c)


def fnv1a(data: bytes) -> u64:
    """The 64-bit FNV-1a hash of bytes (draft-eastlake-fnv)."""
    value: u64 = _FNV_OFFSET
    for i in range(len(data)):
        value = u64((value ^ data[i]) * _FNV_PRIME)
    return value
