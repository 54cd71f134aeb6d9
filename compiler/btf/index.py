"""Where each type of a `.BTF` section starts, and which types have a name: what it takes to read one type of 100,000.

An index is made once by a walk over all types, and kept as bytes beside a section that is opened often:

    header      magic, format, number of types, number of names, CRC-32 of all that follows: 5 words of 32 bits
    identity    32 bytes that say which section it belongs to
    starts      a word for each type: the byte of the type section at which it starts
    hashes      a word for each name: its CRC-32, in ascending order
    ids         a word for each of them: the type's id; with bit 31, that of the enum that has this enumerator

Words are little-endian. A hash may be shared: whoever looks a name up compares the names of the types it is led to.
"""

from __future__ import annotations

import sys
from _bisect import bisect_left
from binascii import crc32

from pybpf.compiler.btf.types import BtfError
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Words: TypeAlias = Sequence[int]

__all__ = ["ENUMERATOR", "IDENTITY", "Names", "index_bytes", "name_table", "read_index", "scan"]

ENUMERATOR = 1 << 31  # of an id: it is the enum's, and the name its enumerator's
IDENTITY = 32  # bytes

_MAGIC = 0x49465442  # "BTFI"
_FORMAT = 1
_HEADER = 5

# Words that follow the common 3, by kind: a fixed number, and one for each of `vlen` parts.
_FIXED = (0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0)
_EACH = (0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3)


class Names(Record, eq=False):
    """Hashes of names in ascending order, and beside each the id that it leads to."""

    hashes: Words
    ids: Words

    def find(self, name: str) -> list[int]:
        """Ids of what may have that name, ascending; ENUMERATOR is set in those of enums by their enumerators."""
        wanted = crc32(name.encode("utf-8", "replace"))
        at = bisect_left(self.hashes, wanted)
        found = []
        while at < len(self.hashes) and self.hashes[at] == wanted:
            found.append(self.ids[at])
            at += 1
        return found


def scan(types: bytes, first: int) -> Words:
    """Where each type of a section's type part starts, in bytes; the first has the id `first`. Raises BtfError."""
    from array import array  # imports `collections`, which opening with an index does without

    words = _words(types[: len(types) & ~3])
    starts = array("I")
    append = starts.append
    steps: dict[int, int] = {}  # the second word of a type says how long it is; there are few different ones
    at, end = 0, len(words)
    while at + 3 <= end:
        info = words[at + 1]
        step = steps.get(info)
        if step is None:
            kind = info >> 24 & 0x1F
            if not 0 < kind < len(_FIXED):
                raise BtfError(f"BTF type [{first + len(starts)}]: kind {kind} is not known")
            step = steps[info] = 3 + _FIXED[kind] + _EACH[kind] * (info & 0xFFFF)
        append(at * 4)
        at += step
    if at > end:
        raise BtfError(f"BTF type [{first + len(starts) - 1}]: cut short")
    if at * 4 < len(types):
        raise BtfError(f"BTF type [{first + len(starts)}]: cut short")
    return starts


def name_table(types: bytes, starts: Words, first: int, strings: bytes, first_string: int) -> Names:
    """The names of a section's types and enumerators. Names that stand in the base's strings are left out."""
    from array import array

    words = _words(types)
    texts = strings.split(b"\0")
    hashes: dict[int, int] = {}  # by where the text starts
    at = first_string
    for text in texts:
        hashes[at] = crc32(text)
        at += len(text) + 1
    hashes[0] = -1

    def hash_of(offset: int) -> int:  # of a text that is the end of another
        start = offset - first_string
        end = strings.find(b"\0", start) if start > 0 else -1
        return crc32(strings[start:end]) if end > start else -1

    get = hashes.get
    keys: list[int] = []
    for number, start in enumerate(starts, first):
        here = start >> 2
        name = words[here]
        if name:
            found = get(name)
            if found is None:
                found = hash_of(name)
            keys.append(found << 32 | number)
        kind = words[here + 1] >> 24 & 0x1F
        if kind == 6 or kind == 19:
            step = 2 if kind == 6 else 3
            stop = here + 3 + step * (words[here + 1] & 0xFFFF)
            for name in words[here + 3 : stop : step]:
                found = get(name)
                if found is None:
                    found = hash_of(name)
                keys.append(found << 32 | number | ENUMERATOR)
    keys = [key for key in keys if key >= 0]
    keys.sort()
    return Names(array("I", [key >> 32 for key in keys]), array("I", [key & 0xFFFFFFFF for key in keys]))


def index_bytes(starts: Words, names: Names, identity: bytes) -> bytes:
    """The index as bytes, to be kept for `read_index`."""
    body = identity.ljust(IDENTITY, b"\0")[:IDENTITY]
    body += _bytes(starts) + _bytes(names.hashes) + _bytes(names.ids)
    return _bytes((_MAGIC, _FORMAT, len(starts), len(names.hashes), crc32(body))) + body


def read_index(data: bytes, identity: bytes) -> tuple[Words, Names]:
    """Starts and names of an index. Raises BtfError if it is broken, or belongs to another section."""
    if len(data) < _HEADER * 4 + IDENTITY or len(data) % 4:
        raise BtfError("the index is cut short")
    magic, format, types, names, checksum = _words(data[: _HEADER * 4])
    body = memoryview(data)[_HEADER * 4 :]
    if (magic, format) != (_MAGIC, _FORMAT) or len(body) != IDENTITY + 4 * (types + 2 * names):
        raise BtfError("this is no index")
    if crc32(body) != checksum:
        raise BtfError("the index is broken")
    if body[:IDENTITY] != identity.ljust(IDENTITY, b"\0")[:IDENTITY]:
        raise BtfError("the index belongs to another section")
    words = _words(body[IDENTITY:])
    return words[:types], Names(words[types : types + names], words[types + names :])


def _words(data: bytes | memoryview) -> memoryview:
    """Little-endian words of 32 bits, without a copy where the machine has them so."""
    if sys.byteorder == "little":
        return memoryview(data).cast("I")
    from array import array

    swapped = array("I", bytes(data))
    swapped.byteswap()
    return memoryview(swapped)


def _bytes(words: Words) -> bytes:
    from array import array

    made = array("I", words)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()
