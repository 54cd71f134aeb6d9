"""jhash and FNV-1a: published values in plain Python, and the same in the kernel and in the simulator."""

from __future__ import annotations

import random
import struct

import pytest

from pybpf import (
    XDP,
    Array,
    ArrayMap,
    Bytes,
    L,
    Struct,
    XdpContext,
    fnv1a,
    jhash,
    jhash2,
    jhash_1word,
    jhash_2words,
    jhash_3words,
    rol32,
    u32,
    u64,
    xdp,
)
from pybpf.net import ethhdr
from tests.stdlib.machines import MACHINES, machine

TEXT = b"Four score and seven years ago"


def test_published_values() -> None:
    """lookup3.c by Bob Jenkins, driver5(): include/linux/jhash.h is its hashlittle(). FNV: draft-eastlake-fnv, §6."""
    assert jhash(b"") == 0xDEADBEEF and jhash(b"", 0xDEADBEEF) == 0xBD5B7DDE
    assert jhash(TEXT) == 0x17770551 and jhash(TEXT, 1) == 0xCD628161
    assert fnv1a(b"") == 0xCBF29CE484222325
    assert fnv1a(b"a") == 0xAF63DC4C8601EC8C and fnv1a(b"foobar") == 0x85944171F73967E8


def test_words_hash_as_their_bytes() -> None:
    draw = random.Random(1)
    for count in range(1, 9):
        words = [draw.getrandbits(32) for _ in range(count)]
        assert jhash2(words, 5) == jhash(struct.pack(f"<{count}I", *words), 5)
    a, b, c = [draw.getrandbits(32) for _ in range(3)]
    # jhash_nwords() adds the seed before the last mixing only, as jhash2() of up to three words does
    assert jhash_3words(a, b, c, 7) == jhash2([a, b, c], 7)
    assert jhash_2words(a, b, 7) == jhash2([a, b], 7)
    assert jhash_1word(a, 7) == jhash2([a], 7)
    assert (rol32(0x80000001, 1), rol32(1, 31)) == (3, 0x80000000)


class short(Struct):
    a: u32
    b: u64  # padding before it


class data(Struct):
    one: Bytes[L[1]]
    eleven: Bytes[L[11]]
    twelve: Bytes[L[12]]
    thirteen: Bytes[L[13]]
    thirty: Bytes[L[30]]
    odd: Bytes[L[1]]
    words: Array[u32, L[7]]
    inner: short


results = ArrayMap[u64](16)


@xdp
def hashes(pkt: XdpContext) -> XDP:
    if pkt.parse(ethhdr) is None:
        return XDP.PASS
    given = pkt.parse(data)
    if given is None:
        return XDP.PASS
    results[0] = jhash(given.one)
    results[1] = jhash(given.eleven, 1)
    results[2] = jhash(given.twelve, 2)
    results[3] = jhash(given.thirteen, 3)
    results[4] = jhash(given.thirty, 4)
    results[5] = jhash2(given.words, 5)
    results[6] = jhash_3words(given.words[0], given.words[1], given.words[2], 6)
    results[7] = jhash_2words(given.words[0], given.words[1])
    results[8] = jhash_1word(given.words[0], 8)
    results[9] = fnv1a(given.thirty)
    results[10] = jhash(bytes(given.inner))
    results[11] = jhash(bytes(short(a=given.words[0], b=7)))
    return XDP.DROP


@pytest.mark.guest
@pytest.mark.parametrize("kind", MACHINES)
def test_programs_compute_the_same(kind: str) -> None:
    draw = random.Random(2)
    size = data.__bpf__.size
    with machine(kind, hashes) as m:
        for _ in range(20):
            raw = draw.randbytes(size)
            assert m.run(hashes, bytes(14) + raw)[0] == XDP.DROP
            at = {field.name: field.offset for field in data.__bpf__.fields}
            words = list(struct.unpack_from("<7I", raw, at["words"]))

            def part(name: str, length: int, raw: bytes = raw, at: dict[str, int] = at) -> bytes:
                return raw[at[name] : at[name] + length]

            assert [m[results][i] for i in range(12)] == [
                jhash(part("one", 1)), jhash(part("eleven", 11), 1), jhash(part("twelve", 12), 2),
                jhash(part("thirteen", 13), 3), jhash(part("thirty", 30), 4), jhash2(words, 5),
                jhash_3words(*words[:3], 6), jhash_2words(*words[:2]), jhash_1word(words[0], 8),
                fnv1a(part("thirty", 30)), jhash(part("inner", 16)), jhash(struct.pack("<IIQ", words[0], 0, 7)),
            ]  # fmt: skip
