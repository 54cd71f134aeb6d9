"""Structs: their layout as C compilers see it, their values, and the mistakes in declaring them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pybpf import Array, Bytes, L, Struct, Text, be32, i8, i16, i32, i64, u8, u16, u32, u64
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.stdlib.struct import coercions, defaults
from pybpf.stdlib.types import class_of, zero

if TYPE_CHECKING:
    from pathlib import Path

    from pybpf.compiler.schema.types import StructType


class Inner(Struct):
    a: u8
    b: be32


class Event(Struct):
    pid: u32
    ok: bool
    delta: i16
    comm: Text[L[16]]
    mac: Array[u8, L[6]]
    inner: Inner
    n: u64 = 0
    limit: ClassVar[int] = 3

    def double(self) -> u64:
        return self.n * 2


class Tight(Struct, packed=True):
    a: u8
    b: u64


class More(Event):
    extra: u8


class Tighter(Tight):
    c: u32


def made(**changes: Any) -> Event:
    given: dict[str, Any] = {"pid": 1, "ok": True, "delta": -2, "comm": "sh", "mac": [0] * 6, "inner": Inner(a=1, b=2)}
    return Event(**given | changes)


def offsets(struct: Any) -> dict[str, int]:
    kind: StructType = struct.__bpf__
    return {field.name: field.offset for field in kind.fields}


def test_layout_by_example() -> None:
    kind = Event.__bpf__
    assert offsets(Event) == {"pid": 0, "ok": 4, "delta": 6, "comm": 8, "mac": 24, "inner": 32, "n": 40}
    assert (kind.name, kind.size, kind.align, kind.owner) == ("Event", 48, 8, Event)
    assert Event.__bpf__ is kind
    assert class_of(kind) is Event
    assert offsets(Tight) == {"a": 0, "b": 1}
    assert (Tight.__bpf__.size, Tight.__bpf__.align) == (9, 1)
    assert (offsets(Tighter), Tighter.__bpf__.size) == ({"a": 0, "b": 1, "c": 9}, 13)
    assert offsets(More) == {**offsets(Event), "extra": 48}


SCALARS: dict[str, tuple[Any, str]] = {
    "u8": (u8, "uint8_t"), "u16": (u16, "uint16_t"), "u32": (u32, "uint32_t"), "u64": (u64, "uint64_t"),
    "i8": (i8, "int8_t"), "i16": (i16, "int16_t"), "i32": (i32, "int32_t"), "i64": (i64, "int64_t"),
    "bool": (bool, "_Bool"),
}  # fmt: skip


def test_layout_is_the_c_compilers(tmp_path: Path) -> None:
    """Random structs, nested ones and arrays of them too, against offsetof and sizeof of gcc."""
    import random

    rng = random.Random(2)
    source = ["#include <stdio.h>", "#include <stddef.h>", "#include <stdint.h>"]
    body, expected, earlier = [], [], []
    for number in range(80):
        name, annotations, members = f"S{number}", {}, []
        for index in range(rng.randint(1, 9)):
            kind, text = rng.choice(list(SCALARS.values()))
            shape = rng.randrange(6)
            if shape == 0 and earlier:
                kind = rng.choice(earlier)
                text = f"struct {kind.__name__}"
            suffix = ""
            if shape == 1:
                size = rng.randint(1, 9)
                kind, suffix = Array[kind, L[size]], f"[{size}]"  # type: ignore[valid-type, misc]
            elif shape == 2:
                size = rng.randint(1, 20)
                kind, text, suffix = rng.choice((Text, Bytes))[size], "char", f"[{size}]"  # type: ignore[index]
            annotations[f"f{index}"] = kind
            members.append(f"{text} f{index}{suffix};")
        packed = rng.random() < 0.2
        body_of_class = {"__annotations__": annotations, "__module__": __name__}
        struct: Any = type(Struct)(name, (Struct,), body_of_class, packed=packed)
        earlier.append(struct)
        source.append(f"struct {name} {{ {' '.join(members)} }} {'__attribute__((packed))' if packed else ''};")
        for field in annotations:
            body.append(f'printf("%zu\\n", offsetof(struct {name}, {field}));')
        body.append(f'printf("%zu %zu\\n", sizeof(struct {name}), _Alignof(struct {name}));')
        expected += [str(field.offset) for field in struct.__bpf__.fields]
        expected.append(f"{struct.__bpf__.size} {struct.__bpf__.align}")
    file = tmp_path / "layout.c"
    file.write_text("\n".join([*source, "int main(void) {", *body, "return 0; }"]))
    subprocess.run(["gcc", "-o", tmp_path / "layout", file], check=True)
    done = subprocess.run([tmp_path / "layout"], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == expected


def test_values() -> None:
    event = made(n=4)
    assert event == made(n=4)
    assert event != made()
    assert hash(event) == hash(made(n=4))
    assert {Inner(a=1, b=2): "x"}[Inner(a=1, b=2)] == "x"
    assert repr(Inner(a=1, b=2)) == "Inner(a=1, b=2)"
    assert event.double() == 8
    event.n += 1
    assert event.n == 5
    with pytest.raises(AttributeError):
        event.nn = 1  # type: ignore[attr-defined]
    assert event != Inner(a=1, b=2)


def test_construction_fails_as_a_dataclass_does() -> None:
    with pytest.raises(TypeError, match=r"Inner\(\) missing 1 required keyword argument: 'b'"):
        Inner(a=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"missing 2 required keyword arguments: 'a', 'b'"):
        Inner()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Inner\(\) got an unexpected keyword argument 'c'"):
        Inner(a=1, b=2, c=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        Inner(1, 2)  # type: ignore[call-arg, misc]


def test_defaults_are_not_shared() -> None:
    class Holder(Struct):
        items: Array[u8, L[2]] = Array([1, 2])
        inner: Inner = Inner(a=1, b=2)

    one, two = Holder(), Holder()
    one.items[0] = 9
    one.inner.a = 9
    assert (two.items[0], two.inner.a) == (1, 1)
    assert set(defaults(Holder)) == {"items", "inner"}
    assert defaults(Event) == {"n": 0}


def test_annotations_find_the_names_around_the_class() -> None:
    class Local(Struct):
        x: u16

    width = u32

    class Uses(Struct):
        local: Local
        wide: width  # type: ignore[valid-type]

    assert [(field.name, str(field.type)) for field in Uses.__bpf__.fields] == [("local", "Local"), ("wide", "u32")]


def test_annotations_find_the_names_of_a_module_that_nobody_imported() -> None:
    text = "from __future__ import annotations\nfrom pybpf import Struct, u16 as short\nclass S(Struct): x: short\n"
    module: dict[str, Any] = {"__name__": "json"}  # the name of another module, as a user's file may have
    exec(text, module)
    assert str(module["S"].__bpf__.fields[0].type) == "u16"


def test_coercions_wrap_as_a_store_does() -> None:
    table = coercions(Event)
    assert sorted(table) == ["delta", "n", "ok", "pid"]
    assert table["pid"](-1) == 0xFFFFFFFF
    assert table["delta"](0x18000) == -0x8000
    assert table["ok"](7) is True


def test_zero() -> None:
    assert zero(Event.__bpf__) == Event(
        pid=0, ok=False, delta=0, comm="", mac=Array([0] * 6), inner=Inner(a=0, b=0), n=0
    )


def declare(annotations: dict[str, Any], **more: Any) -> Any:
    return type(Struct)("Bad", (Struct,), {"__annotations__": annotations, "__module__": __name__, **more})


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (int, r"Bad\.x: int has no width; use u8 to u64"),
        ("str", r"Bad\.x: str has no size"),
        ("Nope", r"Bad\.x: the name `Nope` in `Nope` is not defined"),
        ("Text[L[16]", r"Bad\.x: `Text\[L\[16\]` is not a type"),
        ("Text[0]", r"Bad\.x: Text: the size must lie between"),
        ("Array[int, L[2]]", r"Bad\.x: Array of int: int has no width"),
        (Text, r"Bad\.x: Text needs its size"),
        (12, r"Bad\.x: 12 is not a type"),
    ],
)
def test_wrong_fields_are_named(annotation: Any, says: str) -> None:
    struct = declare({"x": annotation})
    with pytest.raises(DeclarationTypeError, match=says):
        _ = struct.__bpf__
    assert isinstance(DeclarationTypeError("x"), TypeError)


def test_wrong_structs() -> None:
    with pytest.raises(DeclarationTypeError, match="struct Bad has no fields"):
        _ = declare({}).__bpf__
    with pytest.raises(DeclarationTypeError, match=r"Twice\.a is declared in a base class already"):
        type(Struct)("Twice", (Inner,), {"__annotations__": {"a": u8}, "__module__": __name__})
    with pytest.raises(DeclarationTypeError, match="two underscores"):
        declare({"__x": u8})
    with pytest.raises(AttributeError):
        _ = Struct.__bpf__


def test_at_needs_a_program() -> None:
    with pytest.raises(RuntimeError, match=r"Inner\.at\(\) works inside a BPF program only"):
        Inner.at(0)


class First(Struct):
    n: u32
    other: Second


class Second(Struct):
    back: Array[First, L[2]]


def test_a_struct_can_not_contain_itself() -> None:
    for _ in range(2):
        with pytest.raises(DeclarationTypeError, match=r"First\.other: Second\.back: struct First contains itself"):
            assert First.__bpf__
