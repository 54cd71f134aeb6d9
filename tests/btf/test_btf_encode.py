"""Encodings of the BTF kinds, against the layouts of btf.rst, bpftool and the kernel."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.btf.encode import btf_section, encode_types
from pybpf.compiler.btf.strings import StringTable
from tests.loaders.harness import need_root, need_tool

if TYPE_CHECKING:
    from pathlib import Path

INT = t.Int("int", 4, t.INT_SIGNED, 32)

# Every kind, in an order that refers back and forth
ALL = [
    t.VOID,
    INT,
    t.Ptr(4),
    t.Array(1, 1, 3),
    t.Struct("node", 16, (t.Member("next", 2, 0), t.Member("value", 1, 64))),
    t.Union("either", 8, (t.Member("number", 1, 0), t.Member("link", 2, 0))),
    t.Enum("color", 4, True, (("RED", -1), ("BLUE", 7))),
    t.Fwd("unknown"),
    t.Fwd("unknown_union", union=True),
    t.Typedef("s32", 1),
    t.Volatile(9),
    t.Const(10),
    t.Restrict(2),
    t.FuncProto(1, (t.Parameter("x", 1), t.Parameter("", 0))),
    t.Func("work", 15, t.STATIC),
    t.FuncProto(0, (t.Parameter("n", 2),)),
    t.Var("counter", 11, t.GLOBAL),
    t.Datasec(".data", 4, (t.SectionVar(16, 0, 4),)),
    t.Float("double", 8),
    t.DeclTag("arg:nonnull", 14, 0),
    t.DeclTag("whole", 4),
    t.TypeTag("rcu", 4),
    t.Enum64("huge", 8, False, (("LOW", 1), ("HIGH", 1 << 63))),
    t.Enum64("signed_huge", 8, True, (("LEAST", -(1 << 63)),)),
    t.Struct("bits", 4, (t.Member("a", 1, 0, 3), t.Member("b", 1, 3, 29))),
    t.Int("_Bool", 1, t.INT_BOOL, 8),
]


def section(types: list[t.BtfType]) -> bytes:
    strings = StringTable()
    return btf_section(encode_types(types, strings), strings)


def words(item: t.BtfType) -> tuple[int, ...]:
    """The 32-bit words of one encoded type, whose first name is at offset 1 of the strings."""
    data = encode_types([t.VOID, item], StringTable())
    return struct.unpack(f"<{len(data) // 4}I", data)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (INT, (1, 1 << 24, 4, 1 << 24 | 32)),
        (t.Ptr(7), (0, 2 << 24, 7)),
        (t.Array(3, 2, 9), (0, 3 << 24, 0, 3, 2, 9)),
        (t.Struct("s", 8, (t.Member("m", 1, 32),)), (1, 4 << 24 | 1, 8, 3, 1, 32)),
        (t.Union("u", 8, ()), (1, 5 << 24, 8)),
        (t.Struct("s", 4, (t.Member("m", 1, 3, 5),)), (1, 1 << 31 | 4 << 24 | 1, 4, 3, 1, 5 << 24 | 3)),
        (t.Enum("e", 4, True, (("A", -1),)), (1, 1 << 31 | 6 << 24 | 1, 4, 3, 0xFFFFFFFF)),
        (t.Fwd("f", union=True), (1, 1 << 31 | 7 << 24, 0)),
        (t.Typedef("d", 5), (1, 8 << 24, 5)),
        (t.Volatile(5), (0, 9 << 24, 5)),
        (t.Const(5), (0, 10 << 24, 5)),
        (t.Restrict(5), (0, 11 << 24, 5)),
        (t.Func("f", 5, t.EXTERN), (1, 12 << 24 | 2, 5)),
        (t.FuncProto(5, (t.Parameter("p", 6),)), (0, 13 << 24 | 1, 5, 1, 6)),
        (t.Var("v", 5, t.GLOBAL), (1, 14 << 24, 5, 1)),
        (t.Datasec(".bss", 16, (t.SectionVar(5, 8, 4),)), (1, 15 << 24 | 1, 16, 5, 8, 4)),
        (t.Float("float", 4), (1, 16 << 24, 4)),
        (t.DeclTag("tag", 5), (1, 17 << 24, 5, 0xFFFFFFFF)),
        (t.TypeTag("tag", 5), (1, 18 << 24, 5)),
        (t.Enum64("e", 8, False, (("A", 1 << 40 | 2),)), (1, 19 << 24 | 1, 8, 3, 2, 1 << 8)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_encoding_of_each_kind(item: t.BtfType, expected: tuple[int, ...]) -> None:
    assert words(item) == expected


def test_header_and_strings() -> None:
    data = section([t.VOID, INT])
    assert struct.unpack_from("<HBBIIIII", data) == (0xEB9F, 1, 0, 24, 0, 16, 16, 5)
    assert data[24 + 16 :] == b"\0int\0"


def test_all_kinds_come_back() -> None:
    assert list(decode_btf(section(ALL))) == ALL


def test_bpftool_reads_all_kinds(tmp_path: Path) -> None:
    path = tmp_path / "all.btf"
    path.write_bytes(section(ALL))
    done = subprocess.run(
        [need_tool("bpftool"), "-j", "btf", "dump", "file", str(path)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    seen = json.loads(done.stdout)["types"]
    assert [row["kind"] for row in seen] == [
        "INT", "PTR", "ARRAY", "STRUCT", "UNION", "ENUM", "FWD", "FWD", "TYPEDEF", "VOLATILE", "CONST", "RESTRICT",
        "FUNC_PROTO", "FUNC", "FUNC_PROTO", "VAR", "DATASEC", "FLOAT", "DECL_TAG", "DECL_TAG", "TYPE_TAG", "ENUM64",
        "ENUM64", "STRUCT", "INT",
    ]  # fmt: skip
    assert seen[3]["members"] == [
        {"name": "next", "type_id": 2, "bits_offset": 0},
        {"name": "value", "type_id": 1, "bits_offset": 64},
    ]
    assert [value["val"] for value in seen[5]["values"]] == [-1, 7]
    assert [value["val"] for value in seen[21]["values"]] == [1, 1 << 63]
    assert [(m["bits_offset"], m["bitfield_size"]) for m in seen[23]["members"]] == [(0, 3), (3, 29)]


BPF, BTF_LOAD, LOG_SIZE = 321, 18, 1 << 16


def load_into_kernel(data: bytes) -> tuple[int, str]:
    """bpf(BPF_BTF_LOAD): the errno (0 when the kernel took it), and its log."""
    libc = ctypes.CDLL(None, use_errno=True)
    blob, log = ctypes.create_string_buffer(data, len(data)), ctypes.create_string_buffer(LOG_SIZE)
    attributes = struct.pack("<QQIII", ctypes.addressof(blob), ctypes.addressof(log), len(data), LOG_SIZE, 1)
    fd = libc.syscall(BPF, BTF_LOAD, attributes, len(attributes))
    if fd >= 0:
        os.close(fd)
    return (ctypes.get_errno() if fd < 0 else 0), log.value.decode()


def test_the_kernel_takes_all_kinds() -> None:
    need_root()
    # type tags may only follow pointers, there; the kernel also knows no `...` after named parameters of a Func
    types = [*ALL[:21], t.Ptr(22), t.TypeTag("rcu", 4), *ALL[22:]]
    error, log = load_into_kernel(section(types))
    assert error == 0, log


def test_the_kernel_refuses_what_is_wrong() -> None:
    need_root()
    error, log = load_into_kernel(section([t.VOID, t.Ptr(99)]))
    assert error != 0, log


names = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", max_size=12)
numbers = st.integers(0, 2**32 - 1)
ids = st.integers(0, 2**31 - 1)


def tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=5).map(tuple)


def enumerators(least: int, most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return tuples(st.tuples(names, st.integers(least, most)))


members = tuples(st.builds(t.Member, names, ids, numbers))
bitfields = st.lists(
    st.builds(t.Member, names, ids, st.integers(0, 2**24 - 1), st.integers(1, 255)), min_size=1, max_size=5
).map(tuple)
any_type = st.one_of(
    st.builds(t.Int, names, numbers, st.integers(0, 7), st.integers(0, 128), st.integers(0, 255)),
    st.builds(t.Ptr, ids),
    st.builds(t.Array, ids, ids, numbers),
    st.builds(t.Struct, names, numbers, members | bitfields),
    st.builds(t.Union, names, numbers, members | bitfields),
    st.builds(t.Fwd, names, st.booleans()),
    st.builds(t.Typedef, names, ids),
    st.builds(t.Func, names, ids, st.integers(0, 2)),
    st.builds(t.FuncProto, ids, tuples(st.builds(t.Parameter, names, ids))),
    st.builds(t.Var, names, ids, st.integers(0, 2)),
    st.builds(t.Datasec, names, numbers, tuples(st.builds(t.SectionVar, ids, numbers, numbers))),
    st.builds(t.Enum, names, numbers, st.just(True), enumerators(-(2**31), 2**31 - 1)),
    st.builds(t.Enum, names, numbers, st.just(False), enumerators(0, 2**32 - 1)),
    st.builds(t.Enum64, names, numbers, st.just(True), enumerators(-(2**63), 2**63 - 1)),
    st.builds(t.Enum64, names, numbers, st.just(False), enumerators(0, 2**64 - 1)),
    st.builds(t.DeclTag, names, ids, st.integers(-1, 100), st.booleans()),
    st.builds(t.TypeTag, names, ids, st.booleans()),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(any_type, max_size=8))
def test_any_types_come_back(types: list[t.BtfType]) -> None:
    assert list(decode_btf(section([t.VOID, *types]))) == [t.VOID, *types]


def test_a_string_keeps_its_bytes_once() -> None:
    strings = StringTable()
    assert [strings.add(text) for text in ("", "ab", "größe", "ab", "\ud800")] == [0, 1, 4, 1, 12]
    assert strings.data() == b"\0ab\0gr\xc3\xb6\xc3\x9fe\0?\0"
