"""Map declarations: specs, symbols, checks at the declaration, and the seam to a simulation."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import Array, ArrayMap, HashMap, L, LruHash, PerCpuArray, PerCpuHash, RingBuffer, Struct, Text, u8, u32, u64
from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.types import U32, U64, TextType
from pybpf.stdlib import simulation
from pybpf.stdlib.mapkinds import KINDS

if TYPE_CHECKING:
    from pathlib import Path


class Event(Struct):
    n: u64


counts = HashMap[u32, u64](max_entries=10)
lru = LruHash[Text[L[16]], Event](16)
slots = ArrayMap[u64](4)
per_cpu = PerCpuHash[u32, u64](max_entries=3, flags=1, pin=True)
cpu_slots = PerCpuArray[u64](4)
events = RingBuffer[Event](4096)
other_name = HashMap[u32, u64](1, name="in_the_object")


def test_specs() -> None:
    spec = counts.__bpf__
    assert (spec.name, spec.kind.name, spec.key, spec.value, spec.max_entries) == ("counts", "HASH", U32, U64, 10)
    assert counts.__bpf__ is spec
    assert (lru.__bpf__.name, lru.__bpf__.key, lru.__bpf__.value) == ("lru", TextType(16), Event.__bpf__)
    assert (slots.__bpf__.name, slots.__bpf__.key, slots.__bpf__.kind.indexed) == ("slots", U32, True)
    assert (per_cpu.__bpf__.flags, per_cpu.__bpf__.pinning, per_cpu.__bpf__.kind.percpu) == (1, 1, True)
    assert cpu_slots.__bpf__.kind.name == "PERCPU_ARRAY"
    assert (events.__bpf__.key, events.__bpf__.value, events.__bpf__.kind.keyed) == (None, Event.__bpf__, False)
    assert other_name.__bpf__.name == "in_the_object"


def test_kinds_have_the_kernels_numbers(tmp_path: Path) -> None:
    file = tmp_path / "kinds.c"
    newer = {"CGRP_STORAGE": 32, "ARENA": 33}  # than the headers of Debian 12
    names = [name for name in KINDS if name not in newer]
    lines = [f'printf("%d\\n", BPF_MAP_TYPE_{name});' for name in names]
    file.write_text("\n".join(["#include <stdio.h>", "#include <linux/bpf.h>", "int main(void) {", *lines, "}"]))
    subprocess.run(["gcc", "-o", tmp_path / "kinds", file], check=True)
    done = subprocess.run([tmp_path / "kinds"], capture_output=True, text=True, check=True)
    assert [int(line) for line in done.stdout.split()] == [KINDS[name].number for name in names]
    assert {name: KINDS[name].number for name in newer} == newer


def test_a_map_needs_a_name() -> None:
    local = HashMap[u32, u64](max_entries=1)
    with pytest.raises(DeclarationValueError, match="this map has no name") as caught:
        _ = local.__bpf__
    assert 'name="my_map"' in caught.value.help
    assert local.spec("local").name == "local"
    with pytest.raises(DeclarationValueError, match="'while' cannot name a map"):
        HashMap[u32, u64](max_entries=1, name="while")
    with pytest.raises(DeclarationValueError, match="'a-b' cannot name a map"):
        HashMap[u32, u64](max_entries=1, name="a-b")


H: Any = HashMap
R: Any = RingBuffer


class Large(Struct):
    text: Text[L[600]]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: H[u32, u64](max_entries=0), "between 1 and 4294967295, not 0"),
        (lambda: H[u32, u64](max_entries=-1), "not -1"),
        (lambda: H[u32, u64](max_entries=1 << 32), "not 4294967296"),
        (lambda: H[u32, u64](max_entries="10"), "must be an int, not '10'"),
        (lambda: H[u32, u64](max_entries=True), "must be an int, not True"),
        (lambda: H(max_entries=10), "HashMap needs its types"),
        (lambda: H[u32], "HashMap takes the type of a key and of a value"),
        (lambda: H[u32, u64][u32, u64], "has its types already"),
        (lambda: H[u32, int](1).spec("m"), "map m, its value: int has no width"),
        (lambda: H[dict, u32](1).spec("m"), "map m, its key: a dict has no fixed layout"),
        (lambda: H[Large, u32](1).spec("m"), "map m: a key of 600 bytes, but the kernel takes at most 512"),
        (lambda: PerCpuArray[Text[L[40_000]]](1).spec("m"), "a value of 40000 bytes, but the kernel takes at"),
        (lambda: R[Event](1000), "the nearest good size is 4096"),
        (lambda: R[Event](4097), "the nearest are 4096 and 8192"),
        (lambda: R[Event](100_000), "the nearest are 65536 and 131072"),
        (lambda: R[u32](1 << 12).spec("while"), "cannot name"),
    ],
)
def test_mistakes_are_told_at_the_declaration(make: Any, says: str) -> None:
    with pytest.raises((DeclarationTypeError, DeclarationValueError), match=says):
        make()


def test_a_declaration_is_no_map() -> None:
    uses: list[Any] = [
        lambda: counts[1], lambda: counts.get(1), lambda: len(counts), lambda: list(counts), lambda: 1 in counts,
        lambda: counts.__setitem__(1, 2), lambda: counts.pop(1, None), lambda: counts.items(), lambda: counts.clear(),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(RuntimeError, match=r"`counts` is a declaration .* use obj\[counts\]"):
            use()
    with pytest.raises(RuntimeError, match="`events` is a declaration"):
        events.emit(Event(n=1))
    assert counts != lru
    assert {counts: 1}[counts] == 1
    assert repr(counts) == "<HashMap[u32, u64] counts>"


class Fake:
    """A runtime with one dict a map."""

    def __init__(self) -> None:
        self.maps: dict[Any, dict[Any, Any]] = {}

    def map(self, declaration: Any) -> dict[Any, Any]:
        return self.maps.setdefault(declaration, {})


def test_a_simulation_gives_declarations_contents() -> None:
    runtime: Any = Fake()
    before = simulation.enter(runtime)
    try:
        counts[1] = 2
        counts[1] += 3
        assert counts.get(1) == 5
        assert counts.setdefault(2, 7) == 7
        assert dict(counts.items()) == {1: 5, 2: 7}
        assert counts.pop(1, None) == 5
        del counts[2]
        assert len(counts) == 0
    finally:
        simulation.enter(before)
    assert runtime.maps == {counts: {}}
    with pytest.raises(RuntimeError):
        len(counts)


def test_element_types_may_be_anything_with_a_layout() -> None:
    spec = ArrayMap[u8](1).spec("small")
    assert spec.value is u8.__bpf__  # type: ignore[attr-defined]


def test_an_event_larger_than_its_ring_buffer() -> None:
    class Huge(Struct):
        data: Array[u64, L[512]]

    ring = RingBuffer[Huge](4096, name="ring")
    with pytest.raises(DeclarationValueError, match=r"map ring: an event takes 4104 bytes, more than .* 4096"):
        ring.__bpf__  # noqa: B018
    assert RingBuffer[Huge](8192, name="ring").__bpf__.max_entries == 8192

