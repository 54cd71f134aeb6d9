"""C declarations become Structs that clang lays out in the same way, or are refused on their line."""

from __future__ import annotations

import random
import subprocess
from enum import IntEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.elffile import ELFFile

from pybpf import Struct, Union, cdef, kernel, u32
from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import (
    I32,
    U16,
    U64,
    ArrayType,
    BytesType,
    IntType,
    PtrType,
    Space,
    StructType,
    TextType,
)
from tests.loaders.harness import need_tool

if TYPE_CHECKING:
    from pathlib import Path

HEADER = """
#ifndef EVENT_H
#define EVENT_H
#include <linux/types.h>
#define COMM 16                 /* TASK_COMM_LEN */
#define SLOTS (1 << 2 | \\
               1)
#define NAME "not a number"
#define MIN(a, b) ((a) < (b) ? (a) : (b))

enum kind { FILE_OPEN, FILE_CLOSE = 'c', LAST = SLOTS * 2 - 1 };
typedef unsigned int id_t_;
typedef struct { __be32 from, to; } pair_t;

// what is sent to user space
struct event {
    __u32 pid;
    char comm[COMM];
    union { __u32 code; __u16 parts[2]; char tag[4]; struct { bool set; }; };
    __u64 flags : 3, more : 5;
    __u64 : 8;
    __u64 last : 1;
    enum kind kind;
    pair_t pair;
    id_t_ ids[SLOTS][2];
    const char *name;
    int (*call)(void *ctx, unsigned long long n, ...);
    struct { int x; } inner;
    short late __attribute__((aligned(16)));
} __attribute__((preserve_access_index));

struct tight { char a; int b; } __attribute__((packed));
#endif
"""


def schema(made: Any) -> StructType:
    found = made.__bpf__
    assert isinstance(found, StructType)
    return found


def test_a_header() -> None:
    made = cdef(HEADER)
    assert issubclass(made.event, Struct) and issubclass(made.kind, IntEnum) and issubclass(made.pair_t, Struct)
    assert (16, 5, ord("c"), 9) == (made.COMM, made.SLOTS, made.FILE_CLOSE, made.LAST)
    assert made.LAST is made.kind.LAST and made.id_t_ is u32
    assert not hasattr(made, "NAME") and not hasattr(made, "MIN")
    types = {field.name: field.type for field in schema(made.event).fields}
    assert types["comm"] == TextType(16) and types["name"] == types["call"] == U64
    assert types["ids"] == ArrayType(ArrayType(IntType(32), 2), 5)
    assert types["pair"] is schema(made.pair_t)
    union = types["anon0"]
    assert isinstance(union, StructType) and union.union and issubclass(union.owner, Union)
    assert [(field.name, field.type) for field in union.fields[:3]] == [
        ("code", IntType(32)), ("parts", ArrayType(U16, 2)), ("tag", BytesType(4)),
    ]  # fmt: skip
    assert [item.__name__ for item in made] == ["kind", "u32", "pair_t", "event", "tight"]
    with pytest.raises(AttributeError, match="did you mean `event`"):
        made.evnt  # noqa: B018
    assert made.tight(a=1, b=2).b == 2


def test_one_declaration_is_itself() -> None:
    event = cdef("struct event { __u32 pid; };")
    assert event(pid=7).pid == 7
    color = cdef("enum color { RED, GREEN };")
    assert color.GREEN == 1
    assert cdef("typedef struct { int x; } point;").__name__ == "point"


def test_names_from_elsewhere() -> None:
    class inner(Struct):
        n: u32

    outer = cdef("struct outer { struct inner a; struct inner b[2]; };", inner=inner)
    assert schema(outer).size == 12 and schema(outer).fields[0].type is inner.__bpf__


def test_gaps_and_padding_need_not_be_given() -> None:
    made = cdef("struct s { unsigned a : 1; unsigned : 3; unsigned b : 2; int c __attribute__((aligned(16))); };")
    value = made(a=1, b=3, c=-1)
    assert (value.a, value.b, value.c) == (1, 3, -1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("struct a {\n  foo_t x;\n};", "line 2 of the C declarations, `foo_t x;`: `foo_t` is not declared"),
        ("struct a { struct b x; };", r"`struct b` is not declared\n.*pass it: b=\.\.\."),
        ("struct a { struct a x; };", "`struct a` is not declared"),
        ("struct a {\n  int x\n};", "line 3 .*: `}` is not expected here"),
        ("struct a { int x; }", "ends too early"),
        ("\n\nstruct a {", "line 3 .*ends too early"),
        ("struct a { double x; };", "no floating point"),
        ("struct a { void x; };", "void has no size"),
        ("struct a { unsigned __int128 x; };", "128 bits"),
        ("struct a { unsigned float x; };", "is no type"),
        ("struct a { int x[]; };", "an array without a size"),
        ("struct a { int x[-1]; };", "an array of -1 elements"),
        ("struct a { int x[1/0]; };", "a division by zero"),
        ("struct a { int x[N]; };", "`N` is no constant"),
        ("#define N (N + 1)\nstruct a { int x[N]; };", "line 1 "),
        ("struct a { int x[sizeof(int)]; };", "sizeof is not known"),
        ("struct a { int x : 33; };", "i32 has 32 bits"),
        ("struct a { int x : 1; int : 0; int y : 1; };", "a bit field of no bits"),
        ("struct a { int x; int x; };", "two members `x`"),
        ("struct b { bool c; };\nunion a { struct b e; };", "line 2 .*a bool in a union"),
        ("struct a { int x : 3; long y : 62; } __attribute__((packed));", "line 1 .*part of nine bytes"),
        ("struct a { int __x; };", "line 1 .*two underscores"),
        ("struct a {};", "no members"),
        ("struct a { int; };", "a member without a name"),
        ("struct { int x; };", "declares nothing"),
        ("int;", "declares nothing"),
        ("int x;", "`x` is not expected here"),
        ("int f(void);", "`f` is not expected here"),
        ("", "declare nothing"),
        ("#ifdef X\nstruct a { int x; };\n#endif", "line 1 .*the preprocessor is not run"),
        ("#pragma pack(1)\nstruct a { int x; };", "the preprocessor is not run"),
        ("struct a { int x; } __attribute__((mode(DI)));", "the attribute `mode` is not known"),
        ("struct a { int x __attribute__((packed)); };", "the attribute `packed` of a member"),
        ("struct a { int x; } __attribute__((aligned(3)));", "an alignment of 3"),
        ("/* one\n two */ struct a { bad y; };", "line 2 "),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(DeclarationTypeError, match=message):
        cdef(text)


# --- clang's layout


def clang_structs(text: str, directory: Path) -> dict[str, t.Struct | t.Union]:
    """The named structs of C text, by the BTF that clang makes of it."""
    path = directory / "c.c"
    path.write_text(text)
    command = [need_tool("clang-19", "clang"), "-g", "-O0", "-target", "bpf", "-c", str(path), "-o", str(path) + ".o"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    section = ELFFile(BytesIO((directory / "c.c.o").read_bytes())).get_section_by_name(".BTF")
    assert section is not None
    types = decode_btf(section.data())
    return {item.name: item for item in types if isinstance(item, (t.Struct, t.Union)) and item.name}


def ours(kind: StructType) -> list[tuple[str, int, int]]:
    """(name, offset in bits, width) of what C names."""
    return [
        (field.name, field.offset * 8 + field.bit_offset, field.bits)
        for field in kind.fields
        if not field.name.startswith(("_pad", "_gap"))
    ]


def theirs(item: t.Struct | t.Union) -> list[tuple[str, int, int]]:
    anonymous = iter(range(100))
    return [(m.name or f"anon{next(anonymous)}", m.offset, m.bits) for m in item.members]


TYPES = """
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32; typedef unsigned long long __u64;
typedef signed char __s8; typedef int __s32; typedef __u32 __be32; typedef _Bool bool;
"""


def test_the_header_is_laid_out_as_clang_does(tmp_path: Path) -> None:
    plain = HEADER.replace("#include <linux/types.h>", TYPES)
    found = clang_structs(plain + "struct event *a(struct event *e, struct tight *t) { return e; }\n", tmp_path)
    made = cdef(HEADER)
    for name in ("event", "tight"):
        kind = schema(getattr(made, name))
        assert (kind.size, ours(kind)) == (found[name].size, theirs(found[name])), name


BASES = ["char", "short", "int", "long", "__u8", "__u16", "__u32", "__u64", "unsigned long long", "__s8"]


def random_struct(rng: random.Random, name: str, before: list[str]) -> str:
    lines = []
    union = rng.random() < 0.1

    def member(label: str, deep: int) -> str:
        choice = rng.random()
        base = rng.choice(BASES)
        align = f" __attribute__((aligned({rng.choice([2, 4, 8, 16, 32])})))" if rng.random() < 0.1 and not deep else ""
        if choice < 0.35 and not union:
            width = {"char": 8, "__u8": 8, "__s8": 8, "short": 16, "__u16": 16, "int": 32, "__u32": 32}.get(base, 56)
            kind = base if base != "char" else "unsigned char"
            gap = "" if rng.random() < 0.85 else f"{kind} : {rng.randint(1, width)}; "
            return f"{gap}{kind} {label} : {rng.randint(1, width)};"
        if choice < 0.5:
            return f"{base} {label}[{rng.randint(1, 5)}]{align};"
        if choice < 0.6:
            return f"{base} *{label}{align};"
        if choice < 0.7 and before and not union:
            return f"struct {rng.choice(before)} {label}{align};"
        if choice < 0.8 and deep < 2:
            inner = " ".join(member(f"{label}_{n}", deep + 1) for n in range(rng.randint(1, 3)))
            return f"struct {{ {inner} }} {label if rng.random() < 0.6 else ''};"
        return f"{base} {label}{align};"

    lines = [member(f"m{n}", 0) for n in range(rng.randint(1, 7))]
    end = rng.choice(["", "", "", " __attribute__((packed))", " __attribute__((aligned(16)))"])
    if "aligned" in "".join(lines) and "packed" in end:
        end = ""
    return f"{'union' if union else 'struct'} {name} {{ {' '.join(lines)} }}{end};"


@pytest.mark.parametrize("seed", range(3))
def test_random_structs_are_laid_out_as_clang_does(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    structs: list[str] = []
    names: list[str] = []
    for number in range(120):
        text = random_struct(rng, f"s{number}", names)
        structs.append(text)
        if text.startswith("struct"):
            names = [*names[-3:], f"s{number}"]
    text = "\n".join(structs)
    uses = "".join(
        f"{'union' if line.startswith('union') else 'struct'} s{n} *f{n}(void *p) {{ return p; }}\n"
        for n, line in enumerate(structs)
    )
    found = clang_structs(TYPES + text + "\n" + uses, tmp_path)
    made = cdef(text)
    for number, line in enumerate(structs):
        kind, item = schema(getattr(made, f"s{number}")), found[f"s{number}"]
        assert (kind.size, ours(kind)) == (item.size, theirs(item)), line


# --- of the kernel


def test_kernel_structs() -> None:
    task = cdef(
        """
        struct task_struct___mine {
            int pid;
            struct task_struct___mine *real_parent;
            struct mm_struct *mm;
            struct list_head tasks;
            struct nobody *hidden;
            char comm[16];
            void *stack;
            const char *text;
            u32 *counts;
            int (*call)(void);
            unsigned early : 1, late : 2;
            union { int a; struct { long b; }; };
            pid_t tgid;
            char tail[];
        };
        """,
        kernel=True,
    )
    kind = task.__bpf__
    assert isinstance(kind, KernelType) and kind.name == "task_struct___mine"
    types = {member.name: member.type for member in kind.members}
    assert types["real_parent"] == PtrType(kind, Space.KERNEL)
    assert types["mm"] == PtrType(kernel.mm_struct.__bpf__, Space.KERNEL)
    assert types["tasks"] is kernel.list_head.__bpf__
    hidden = types["hidden"]
    assert isinstance(hidden, PtrType) and isinstance(hidden.pointee, KernelType) and hidden.pointee.members == ()
    assert (types["comm"], types["tail"], types["tgid"]) == (TextType(16), TextType(0), I32)
    assert types["stack"] == types["call"] == PtrType(None, Space.KERNEL)
    assert types["text"] == PtrType(TextType(0), Space.KERNEL)
    assert types["counts"] == PtrType(IntType(32), Space.KERNEL)
    way = kind.find("b")
    assert way is not None and [member.name for member in way] == ["", "", "b"]
    assert [(m.name, m.bits) for m in kind.members if m.bits] == [("early", 1), ("late", 2)]
    assert not issubclass(task, Struct)


def test_kernel_structs_are_held_against_the_bundle() -> None:
    with pytest.raises(DeclarationTypeError, match=r"file\.f_path is declared as a pointer"):
        cdef("struct file { struct path *f_path; };", kernel=True)
    with pytest.raises(DeclarationTypeError, match="`struct no_such_struct` is not declared"):
        cdef("struct a { struct no_such_struct x; };", kernel=True)


PROGRAM = '''
from pybpf import XDP, ArrayMap, XdpContext, cdef, xdp

event = cdef("""
    struct event {
        __u32 pid;
        union { __u32 code; __u16 parts[2]; };
        unsigned a : 2; unsigned : 2; unsigned b : 3;
        struct { int x; } in;
        long late __attribute__((aligned(32)));
    };
""")
events = ArrayMap[event](max_entries=2)


@xdp
def fill(pkt: XdpContext) -> XDP:
    events[0] = event(pid=7, a=1, b=5, in_=event.event_in_(x=-2), late=9)
    events[1] = event(pid=8, a=0, b=6, in_=event.event_in_(x=3), late=4, anon0=event.event_anon0(code=0x20001))
    found = events[1]
    found.anon0.parts[0] += 4
    return XDP.PASS
'''


def test_programs_use_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pybpf import Simulation, build
    from pybpf.cli.module import import_file

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "uses_cdef.py").write_text(PROGRAM)
    module: Any = import_file(str(tmp_path / "uses_cdef.py"))
    assert build(module.fill).elf
    simulation = Simulation()
    simulation.run(module.fill, bytes(64))
    first, second = simulation[module.events][0], simulation[module.events][1]
    assert (first.pid, first.anon0.code, first.a, first.b, first.in_.x, first.late) == (7, 0, 1, 5, -2, 9)
    assert (second.anon0.code, list(second.anon0.parts), second.in_.x) == (0x20005, [5, 2], 3)
