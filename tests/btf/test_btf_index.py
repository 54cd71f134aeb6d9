"""An index finds what a walk over all types finds, and is never believed when it is broken or another section's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import Btf, decode_btf, extent
from pybpf.compiler.btf.encode import HEADER, btf_section, encode_types
from pybpf.compiler.btf.index import name_table, scan
from pybpf.compiler.btf.strings import StringTable
from pybpf.compiler.btf.types import BtfError

TYPES = [
    t.VOID,
    t.Int("int", 4, t.INT_SIGNED, 32),
    t.Struct("pair", 8, (t.Member("a", 1, 0), t.Member("b", 1, 32))),
    t.Ptr(2),
    t.Typedef("pair", 2),
    t.Enum("color", 4, False, (("RED", 0), ("pair", 1))),
    t.Enum64("wide", 8, False, (("HUGE", 1 << 40),)),
    t.FuncProto(1, (t.Parameter("x", 3),)),
    t.Func("pair", 7, t.STATIC),
    t.Func("twice", 7, t.STATIC),
    t.Func("twice", 7, t.GLOBAL),
    t.DeclTag("bpf_kfunc", 10),
]


def section(types: list[t.BtfType]) -> bytes:
    strings = StringTable()
    return btf_section(encode_types(types, strings), strings)


def parts(data: bytes) -> tuple[bytes, bytes]:
    types, strings = extent(data[: HEADER.size], len(data))
    return data[types], data[strings]


DATA = section(TYPES)
INDEX = decode_btf(DATA).make_index(b"me")


def indexed(index: bytes = INDEX, identity: bytes = b"me") -> Btf:
    return Btf(*parts(DATA), None, index, identity)


@pytest.mark.parametrize("btf", [decode_btf(DATA), indexed()], ids=["walked", "indexed"])
def test_names_are_found(btf: Btf) -> None:
    assert list(btf) == TYPES
    assert [btf.find("pair", kind) for kind in (t.Struct, t.Typedef, t.Func, None)] == [2, 4, 8, 2]
    assert btf.find("pair", t.Union) == btf.find("nothing") == btf.find("") == 0
    assert btf.find_all("twice") == [9, 10]
    assert [btf.find_enumerator(name) for name in ("RED", "HUGE", "pair", "color", "twice")] == [5, 6, 5, 0, 0]
    assert btf.names(t.Func, t.Ptr) == [(3, ""), (8, "pair"), (9, "twice"), (10, "twice")]


def test_a_text_that_is_the_end_of_another_is_found() -> None:
    """Encoders may let "pair" begin inside "repair"."""
    strings = b"\0repair\0"
    types = b"".join(number.to_bytes(4, "little") for number in (3, 8 << 24, 0))  # a Typedef named from offset 3
    names = name_table(types, scan(types, 1), 1, strings, 0)
    assert names.find("pair") == [1]


def test_names_with_one_hash_are_told_apart() -> None:
    one, other = "plumless", "buckeroo"  # CRC-32 is the same
    btf = decode_btf(section([t.VOID, t.Typedef(one, 0), t.Typedef(other, 0)]))
    assert (btf.find(one), btf.find(other)) == (1, 2)
    only = decode_btf(section([t.VOID, t.Typedef(one, 0)]))
    assert only.find(other) == 0


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (INDEX[:40], "cut short"),
        (INDEX[:-4], "no index"),
        (INDEX[:-3], "cut short"),
        (b"XXXX" + INDEX[4:], "no index"),
        (INDEX[:4] + b"\x63" + INDEX[5:], "no index"),
        (bytes(len(INDEX)), "no index"),
    ],
)
def test_broken_indexes_are_refused(index: bytes, message: str) -> None:
    with pytest.raises(BtfError, match=message):
        indexed(index)


@given(st.integers(0, len(INDEX) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(at: int, by: int) -> None:
    changed = bytearray(INDEX)
    changed[at] ^= by
    with pytest.raises(BtfError):
        indexed(bytes(changed))


def test_the_index_of_another_section_is_refused() -> None:
    with pytest.raises(BtfError, match="belongs to another section"):
        indexed(identity=b"you")


def test_the_bundled_index_belongs_to_the_bundle() -> None:
    place = Path(__file__).parents[2] / "stdlib" / "data" / "kernel"
    btf = decode_btf((place / "vmlinux.btf").read_bytes())
    assert (place / "vmlinux.btfindex").read_bytes() == btf.make_index()
