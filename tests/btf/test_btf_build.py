"""The language's types as BTF."""

from __future__ import annotations

import pytest

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.build import TypeBuilder
from pybpf.compiler.btf.dump import declare
from pybpf.compiler.schema.types import (
    BOOL,
    I8,
    I16,
    I32,
    I64,
    NONE,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    BytesType,
    EnumType,
    Field,
    IntType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
    layout,
)

INNER = layout("Inner", [("port", IntType(16, big=True)), ("flag", BOOL)])


@pytest.mark.parametrize(
    ("type_", "c"),
    [
        (U8, "unsigned char x"),
        (U16, "unsigned short x"),
        (U32, "unsigned int x"),
        (U64, "unsigned long long x"),
        (I8, "signed char x"),
        (I16, "short x"),
        (I32, "int x"),
        (I64, "long long x"),
        (IntType(8, big=True), "unsigned char x"),
        (IntType(16, big=True), "__be16 x"),
        (IntType(64, big=True), "__be64 x"),
        (BOOL, "_Bool x"),
        (TextType(16), "char x[16]"),
        (BytesType(6), "unsigned char x[6]"),
        (ArrayType(ArrayType(U16, 3), 2), "unsigned short x[2][3]"),
        (ArrayType(TextType(4), 2), "char x[2][4]"),
        (INNER, "struct Inner x"),
        (PtrType(INNER, Space.MAP), "struct Inner *x"),
        (PtrType(TextType(4), Space.MAP), "char (*x)[4]"),
        (PtrType(None, Space.USER), "void *x"),
        (OptionalType(PtrType(INNER, Space.MAP)), "struct Inner *x"),
        (EnumType("Action", U32, (("PASS", 2),)), "enum Action x"),
        (NONE, "void x"),
    ],
    ids=str,
)
def test_c_spelling(type_: Type, c: str) -> None:
    builder = TypeBuilder()
    assert declare(builder.types, builder.of(type_), "x") == c


def test_equal_types_share_an_id() -> None:
    builder = TypeBuilder()
    same = layout("Inner", [("port", IntType(16, big=True)), ("flag", BOOL)])
    other = layout("Inner", [("port", U16), ("flag", BOOL)])
    assert builder.of(INNER) == builder.of(same) != builder.of(other)
    assert builder.of(TextType(4)) == builder.of(TextType(4)) != builder.of(BytesType(4))
    assert len(set(builder.types)) == len(builder.types)


def test_a_struct_may_point_to_itself() -> None:
    node = StructType("Node", (), 16, 8)
    node.fields = (Field("next", PtrType(node, Space.KERNEL), 0), Field("value", U64, 8))
    builder = TypeBuilder()
    number = builder.of(node)
    item = builder.types[number]
    assert isinstance(item, t.Struct)
    assert builder.types[item.members[0].type] == t.Ptr(number)
    assert builder.of(node) == number
    assert t.VOID not in builder.types[1:]


def test_structs_may_point_to_each_other() -> None:
    one, two = StructType("One", (), 8, 8), StructType("Two", (), 8, 8)
    one.fields = (Field("two", PtrType(two, Space.KERNEL), 0),)
    two.fields = (Field("one", PtrType(one, Space.KERNEL), 0),)
    builder = TypeBuilder()
    first, second = builder.of(one), builder.of(two)
    for start, end in ((first, second), (second, first)):
        item = builder.types[start]
        assert isinstance(item, t.Struct)
        assert builder.types[item.members[0].type] == t.Ptr(end)
    assert t.VOID not in builder.types[1:]


def test_unions_and_bit_fields() -> None:
    union = StructType("Either", (Field("a", U32, 0), Field("b", U16, 0)), 4, 4, union=True)
    bits = StructType("Bits", (Field("low", U8, 0, 3), Field("high", U8, 1, 5, 3)), 2, 1)
    builder = TypeBuilder()
    assert isinstance(builder.types[builder.of(union)], t.Union)
    item = builder.types[builder.of(bits)]
    assert isinstance(item, t.Struct)
    assert [(m.offset, m.bits) for m in item.members] == [(0, 3), (11, 5)]


@pytest.mark.parametrize(
    ("base", "value", "kind"),
    [(U32, (1 << 32) - 1, t.Enum), (U8, 0, t.Enum), (I32, -1, t.Enum), (U64, 7, t.Enum), (U64, 1 << 32, t.Enum64),
     (I64, -(1 << 31) - 1, t.Enum64)],
)  # fmt: skip
def test_an_enumeration_is_wide_only_where_it_must_be(base: IntType, value: int, kind: type[t.BtfType]) -> None:
    builder = TypeBuilder()
    item = builder.types[builder.enumeration(EnumType("E", base, (("A", value),)))]
    assert type(item) is kind
    assert isinstance(item, (t.Enum, t.Enum64))
    assert (item.size, item.signed, item.values) == (base.bits // 8, base.signed, (("A", value),))


def test_only_enumerations_of_32_bits_show_as_such() -> None:
    builder = TypeBuilder()
    assert isinstance(builder.types[builder.of(EnumType("E", I32, (("A", -1),)))], t.Enum)
    assert builder.types[builder.of(EnumType("E", I64, (("A", -1),)))] == t.Typedef("E", builder.of(I64))
