"""BTF as C."""

from __future__ import annotations

import pytest

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.dump import declare, dump_btf, dump_ext
from pybpf.compiler.btf.ext import BtfExt, CoreInfo, FuncInfo, LineInfo, decode_ext, encode_ext
from pybpf.compiler.btf.strings import StringTable
from pybpf.compiler.btf.types import BtfError

TYPES = [
    t.VOID,
    t.Int("int", 4, t.INT_SIGNED, 32),
    t.Ptr(1),
    t.Const(2),
    t.Const(1),
    t.Ptr(4),
    t.Array(5, 1, 3),
    t.Ptr(6),
    t.FuncProto(2, (t.Parameter("a", 5), t.Parameter("", 0))),
    t.Ptr(8),
    t.Array(9, 1, 2),
    t.Volatile(3),
    t.Struct("", 8, (t.Member("x", 1, 0), t.Member("y", 1, 32, 3))),
    t.Array(12, 1, 4),
    t.Const(13),
    t.Ptr(14),
    t.TypeTag("rcu", 1),
    t.Ptr(16),
    t.FuncProto(0, ()),
    t.Enum("", 4, False, (("A", 0), ("B", 1))),
]


@pytest.mark.parametrize(
    ("number", "name", "text"),
    [
        (1, "x", "int x"),
        (1, "", "int"),
        (3, "x", "int *const x"),
        (5, "x", "const int *x"),
        (6, "x", "const int *x[3]"),
        (7, "x", "const int *(*x)[3]"),
        (7, "", "const int *(*)[3]"),
        (8, "f", "int *f(const int *a, ...)"),
        (9, "f", "int *(*f)(const int *a, ...)"),
        (10, "f", "int *(*f[2])(const int *a, ...)"),
        (11, "x", "int *const volatile x"),
        (12, "x", "struct { int x; int y : 3; } x"),
        (15, "x", "const struct { int x; int y : 3; } (*x)[4]"),
        (17, "x", '__attribute__((btf_type_tag("rcu"))) int *x'),
        (18, "f", "void f(void)"),
        (19, "e", "enum { A = 0, B = 1 } e"),
    ],
)
def test_declarations(number: int, name: str, text: str) -> None:
    assert declare(TYPES, number, name) == text


@pytest.mark.parametrize(
    "types",
    [
        [t.VOID, t.Ptr(1), t.Typedef("p", 1)],
        [t.VOID, t.Const(1), t.Typedef("p", 1)],
        [t.VOID, t.Typedef("p", 7)],
        [t.VOID, t.Struct("", 4, (t.Member("m", 1, 0),)), t.Typedef("s", 1)],
        [t.VOID, t.Typedef("p", 2), t.Func("f", 1, 1)],
    ],
)
def test_broken_references_are_refused(types: list[t.BtfType]) -> None:
    with pytest.raises(BtfError):
        dump_btf(types)


def test_dump() -> None:
    types = [
        t.VOID,
        t.Int("unsigned int", 4, 0, 32),
        t.Typedef("__be32", 1),
        t.Struct("Event", 8, (t.Member("pid", 1, 0), t.Member("low", 1, 35, 5))),
        t.Enum("Action", 4, True, (("PASS", -2),)),
        t.Fwd("task"),
        t.FuncProto(1, (t.Parameter("pid", 1),)),
        t.Func("work", 6, t.STATIC),
        t.Const(1),
        t.Var("limit", 8, t.GLOBAL),
        t.Datasec(".rodata", 4, (t.SectionVar(9, 0, 4),)),
        t.DeclTag("arg:nonnull", 7, 0),
        t.Float("double", 8),
    ]
    assert dump_btf(types) == (
        "[1]   unsigned int;  // 4 bytes\n"
        "[2]   typedef unsigned int __be32;\n"
        "[3]   struct Event {  // 8 bytes\n"
        "          unsigned int pid;  // at 0\n"
        "          unsigned int low : 5;  // at 4, bit 3\n"
        "      };\n"
        "[4]   enum Action {  // 4 bytes\n"
        "          PASS = -2,\n"
        "      };\n"
        "[5]   struct task;\n"
        "[7]   static unsigned int work(unsigned int pid);\n"
        "[9]   const unsigned int limit;\n"
        "[10]  section .rodata {  // 4 bytes\n"
        "          limit;  // [9] at 0, 4 bytes\n"
        "      };\n"
        '[11]  btf_decl_tag("arg:nonnull") on [7], part 0;\n'
        "[12]  double;  // 8 bytes\n"
    )


EXT = BtfExt(
    {"xdp": [FuncInfo(0, 4), FuncInfo(64, 4)], ".text": [FuncInfo(0, 4)]},
    {"xdp": [LineInfo(0, "a.py", "  x = 1", 7, 3)], ".text": []},
    {"xdp": [CoreInfo(8, 1, "0:1", 0), CoreInfo(16, 1, "0", 8)]},
)
EXT_TYPES = [t.VOID, t.Struct("task", 4, ()), t.Int("int", 4, 1, 32), t.FuncProto(2, ()), t.Func("work", 3, 1)]


def test_ext_comes_back() -> None:
    strings = StringTable()
    data = encode_ext(EXT, strings)
    assert int.from_bytes(data[4:8], "little") == 32
    text = strings.data()
    back = decode_ext(data, lambda at: text[at : text.index(b"\0", at)].decode())
    assert back == BtfExt(EXT.funcs, {"xdp": EXT.lines["xdp"]}, EXT.core)


def test_ext_without_records_is_a_header() -> None:
    assert len(encode_ext(BtfExt({}, {"xdp": []}, {}), StringTable())) == 32


def test_lines_and_columns_are_capped_to_their_bits() -> None:
    strings = StringTable()
    data = encode_ext(BtfExt({}, {"xdp": [LineInfo(0, "a.py", "x", 1 << 30, 5000)]}, {}), strings)
    info = decode_ext(data, lambda at: "")
    assert [(line.line, line.column) for line in info.lines[""]] == [((1 << 22) - 1, 1023)]


def test_dump_of_ext() -> None:
    assert dump_ext(EXT, EXT_TYPES) == (
        "functions of xdp:\n"
        "         0 int work(void)\n"
        "        64 int work(void)\n"
        "functions of .text:\n"
        "         0 int work(void)\n"
        "lines of xdp:\n"
        "         0 a.py:7:3: x = 1\n"
        "lines of .text:\n"
        "CO-RE relocations of xdp:\n"
        "         8 field_byte_offset struct task 0:1\n"
        "        16 type_exists struct task 0\n"
    )
