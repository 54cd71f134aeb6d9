"""BTF becomes the types that programs see, by what C says; clang's own BTF of planted C is the judge."""

from __future__ import annotations

import subprocess
from io import BytesIO

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.btf.encode import btf_section, encode_types
from pybpf.compiler.btf.kernel import KernelTypes
from pybpf.compiler.btf.strings import StringTable
from pybpf.compiler.btf.types import BtfError
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import (
    BOOL,
    I32,
    NONE,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    EnumType,
    IntType,
    PtrType,
    Space,
    TextType,
)
from pybpf.stdlib.kernel.stub import stub
from tests.loaders.harness import need_tool

C = """
typedef unsigned short __u16; typedef __u16 __be16; typedef unsigned int u32; typedef unsigned char u8;
typedef struct { int counter; } atomic_t;
enum color { RED = -1, BLUE };
struct inner { u32 x; };
struct opaque;
struct node {
    struct node *next;
    atomic_t refs;
    enum color color;
    __be16 port;
    _Bool up;
    char name[16];
    u8 mac[6];
    const char *volatile text;
    void *any;
    int (*call)(struct inner *, ...);
    u32 *counts;
    char **argv;
    u32 low : 3, high : 29;
    union { u32 a; struct { u8 b; u8 in; }; };
    struct { u32 deep; } named;
    struct inner table[2][3];
    struct opaque *hidden;
    int __attribute__((btf_type_tag("user"))) *where;
    unsigned __int128 wide;
    char tail[];
};
struct node *use(struct node *n, enum color c) { return n->next; }
"""


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> KernelTypes:
    path = tmp_path_factory.mktemp("clang") / "c.c"
    path.write_text(C)
    out = path.with_suffix(".o")
    command = [need_tool("clang-19", "clang"), "-g", "-O2", "-target", "bpf", "-c", str(path), "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    found = ELFFile(BytesIO(out.read_bytes())).get_section_by_name(".BTF")
    assert found is not None
    return KernelTypes(decode_btf(found.data()))


def test_members_are_what_c_says(types: KernelTypes) -> None:
    node, inner, color = types.named("node"), types.named("inner"), types.named("color")
    assert isinstance(node, KernelType) and isinstance(inner, KernelType)
    assert color == EnumType("color", I32, (("RED", -1), ("BLUE", 0)))
    named = {member.name: member for member in node.members if member.name}
    kinds = {name: member.type for name, member in named.items()}
    assert kinds["next"] == PtrType(node, Space.KERNEL)
    atomic = kinds["refs"]
    assert isinstance(atomic, KernelType)
    assert (atomic.name, atomic.tag, atomic.size, [m.name for m in atomic.members]) == (
        "atomic_t", "typedef", 4, ["counter"],
    )  # fmt: skip
    assert kinds["color"] == color
    assert kinds["port"] == IntType(16, big=True)
    assert kinds["up"] == BOOL
    assert kinds["name"] == TextType(16)
    assert kinds["mac"] == ArrayType(U8, 6)
    assert kinds["text"] == PtrType(TextType(0), Space.KERNEL)
    assert kinds["any"] == kinds["call"] == PtrType(None, Space.KERNEL)
    assert kinds["counts"] == PtrType(U32, Space.KERNEL)
    assert kinds["argv"] == PtrType(PtrType(TextType(0), Space.KERNEL), Space.KERNEL)
    assert kinds["table"] == ArrayType(ArrayType(inner, 3), 2)
    assert kinds["where"] == PtrType(I32, Space.USER)
    assert kinds["wide"] == ArrayType(U64, 2)
    assert kinds["tail"] == TextType(0)
    low, high = named["low"], named["high"]
    assert (low.bits, low.bit_offset, high.bits, high.offset * 8 + high.bit_offset) == (3, 0, 29, low.offset * 8 + 3)
    assert [member.index for member in node.members] == list(range(len(node.members)))
    assert types.named("node") is node
    assert types.named("__be16") == IntType(16, big=True) and types.named("__u16") == U16
    assert types.named("nothing") is None


def test_anonymous_members_are_the_outer_struct_s(types: KernelTypes) -> None:
    node = types.named("node")
    assert isinstance(node, KernelType)
    way = node.find("b")
    assert way is not None
    assert [(member.name, str(member.type)) for member in way] == [
        ("", "anonymous union"), ("", "anonymous struct"), ("b", "u8"),
    ]  # fmt: skip
    found = node.find("in_")
    assert found is not None and found[-1].name == "in"
    assert node.find("deep") is node.find("nothing") is node.find("nothing_") is None


def test_a_declared_struct_has_no_members(types: KernelTypes) -> None:
    node = types.named("node")
    assert isinstance(node, KernelType)
    way = node.find("hidden")
    assert way is not None and isinstance(way[0].type, PtrType)
    opaque = way[0].type.pointee
    assert isinstance(opaque, KernelType)
    assert (opaque.name, opaque.size, opaque.members) == ("opaque", 0, ())
    assert types.struct("struct", "opaque") is opaque
    assert types.layout("struct", "opaque") is None


def test_signatures(types: KernelTypes) -> None:
    use = types.function("use")
    assert use is not None
    node = PtrType(types.named("node"), Space.KERNEL)
    assert (use.params, use.result, use.variadic) == ((("n", node), ("c", types.named("color"))), node, False)
    assert types.function("node") is None


def test_variadic_signatures_and_tags() -> None:
    types = kernel(
        t.Int("int", 4, t.INT_SIGNED, 32),
        t.FuncProto(0, (t.Parameter("n", 1), t.Parameter("", 0))),
        t.Func("say", 2, t.STATIC),
        t.Func("say", 2, t.STATIC),
        t.DeclTag("bpf_kfunc", 4),
    )
    say = types.function("say")
    assert say is not None
    assert (say.params, say.result, say.variadic, say.tags) == ((("n", I32),), NONE, True, ("bpf_kfunc",))


def test_raw_tracepoints() -> None:
    types = kernel(
        t.Int("int", 4, t.INT_SIGNED, 32),
        t.Ptr(0),
        t.FuncProto(0, (t.Parameter("", 2), t.Parameter("", 1))),
        t.Ptr(3),
        t.Typedef("btf_trace_tick", 4),
    )
    tick = types.raw_tracepoint("tick")
    assert tick is not None and tick.params == (("", I32),)
    assert types.raw_tracepoint("tock") is None


def test_enumerators(types: KernelTypes) -> None:
    assert types.enumerator("RED") == (types.named("color"), -1)
    assert types.enumerator("GREEN") is None


def kernel(*items: t.BtfType) -> KernelTypes:
    strings = StringTable()
    return KernelTypes(decode_btf(btf_section(encode_types([t.VOID, *items], strings), strings)))


def test_bit_fields_of_the_old_kind() -> None:
    """Before Linux 4.20's kind_flag the width stood in an integer type of its own."""
    types = kernel(t.Int("", 4, 0, 5), t.Struct("s", 4, (t.Member("a", 1, 3),)))
    struct = types.named("s")
    assert isinstance(struct, KernelType)
    (member,) = struct.members
    assert (member.type, member.bits, member.offset, member.bit_offset) == (U32, 5, 0, 3)


def test_floats_are_bytes() -> None:
    assert kernel(t.Float("double", 8)).of(1) == ArrayType(U8, 8)
    assert kernel(t.FuncProto(0, ())).of(1) == NONE


@pytest.mark.parametrize(
    "items",
    [
        [t.Typedef("x", 1)],
        [t.Ptr(1), t.Typedef("x", 1)],
        [t.Const(2), t.Volatile(1), t.Typedef("x", 1)],
        [t.Array(1, 1, 4), t.Typedef("x", 1)],
        [t.Ptr(2), t.Const(2), t.Typedef("x", 1)],
        [t.Typedef("x", 99)],
    ],
)
def test_types_that_lead_nowhere_are_refused(items: list[t.BtfType]) -> None:
    with pytest.raises(BtfError):
        kernel(*items).named("x")


def test_a_struct_with_a_broken_member_is_refused_when_it_is_read() -> None:
    struct = kernel(t.Struct("s", 8, (t.Member("a", 77, 0),))).named("s")
    assert isinstance(struct, KernelType)
    with pytest.raises(DeclarationTypeError, match=r"the BTF that s is from is broken: .*77"):
        struct.members  # noqa: B018


def test_a_struct_inside_itself_is_refused() -> None:
    struct = kernel(t.Struct("s", 8, (t.Member("", 2, 0),)), t.Union("", 8, (t.Member("", 2, 0),))).named("s")
    assert isinstance(struct, KernelType)
    with pytest.raises(DeclarationTypeError, match=r"the BTF that s is from is broken: .* lies inside itself"):
        struct.find("x")
    named = kernel(t.Struct("s", 8, (t.Member("", 1, 0),))).named("s")
    assert isinstance(named, KernelType)
    with pytest.raises(DeclarationTypeError, match=r"the BTF that s is from is broken: .* lies inside itself"):
        named.find("x")


SAMPLE = [
    t.VOID,
    t.Int("int", 4, t.INT_SIGNED, 32),
    t.Struct("s", 16, (t.Member("a", 1, 0), t.Member("", 3, 32), t.Member("p", 4, 64))),
    t.Union("", 4, (t.Member("b", 1, 0), t.Member("c", 5, 0))),
    t.Ptr(2),
    t.Array(1, 1, 2),
    t.Enum("e", 4, False, (("A", 0), ("B", 1))),
    t.Typedef("n", 8),
    t.Struct("", 4, (t.Member("d", 6, 0),)),
    t.FuncProto(1, (t.Parameter("x", 4),)),
    t.Func("f", 9, t.GLOBAL),
    t.Const(7),
]


def sample() -> bytes:
    strings = StringTable()
    return btf_section(encode_types(SAMPLE, strings), strings)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(24, len(sample()) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_btf_is_read_or_refused(edits: list[tuple[int, int]]) -> None:
    data = bytearray(sample())
    for at, value in edits:
        data[at] = value
    try:
        types = KernelTypes(decode_btf(bytes(data)))
        for name in ("s", "e", "n", "int", "nothing"):
            kind = types.named(name)
            if isinstance(kind, KernelType):
                for wanted in ("a", "b", "c", "d", "zzz"):
                    kind.find(wanted)
        types.function("f")
        types.enumerator("B")
        stub([types], "")
    except (BtfError, DeclarationTypeError):
        pass
