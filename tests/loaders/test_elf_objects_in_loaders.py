"""Hand-made objects before the real loaders and the real kernel."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.elf.model import ObjectFunction, ObjectModel, Param, Reloc
from pybpf.compiler.elf.writer import write_object
from pybpf.compiler.schema.specs import GlobalSpec, MapKind
from pybpf.compiler.schema.types import (
    BOOL,
    I32,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    BytesType,
    IntType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
    layout,
)
from tests.elf import samples
from tests.elf.samples import CALL, EVENT, EXIT, RETURN_0, SAMPLES, context, ins, line, map_spec, move
from tests.loaders.harness import JUDGES, check_with, cilium_spec, gen_object, gen_skeleton, ip_xdp
from tests.loaders.libbpf import LIBRARIES, load_with_libbpf, loaded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.kernel

PACKET = bytes(64)


def written(model: ObjectModel, folder: Path, name: str = "x.bpf.o") -> Path:
    path = folder / name
    path.write_bytes(write_object(model))
    return path


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("judge", JUDGES)
def test_every_loader_takes_it(judge: str, sample: str, tmp_path: Path) -> None:
    check_with(judge, write_object(SAMPLES[sample]()), tmp_path)


# cilium/ebpf 0.9 knows no externs, and can't read the enumerations of a newer kernel's BTF for CO-RE
LIBBPF = [judge for judge in JUDGES if not judge.startswith("cilium") and judge != "compile_skeleton"]


@pytest.mark.parametrize("judge", LIBBPF)
@pytest.mark.parametrize(
    "make", [samples.externs, samples.kernel_function, samples.core_field, samples.core_enumerator]
)
def test_what_libbpf_resolves(judge: str, make: Callable[[], ObjectModel], tmp_path: Path) -> None:
    check_with(judge, write_object(make()), tmp_path)


# What the kernel sees ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_verifier_quotes_the_python_lines(library: str) -> None:
    verdict = load_with_libbpf(write_object(samples.subprograms()), 2, library)
    assert verdict.clean, verdict
    log = verdict.logs["filter_packets"]
    for text in (
        "; double_it(4) @ probe.py:51",
        "; loop(3, each_round) @ probe.py:52",
        "; return PASS @ probe.py:53",
        "; return x * 2 @ probe.py:31",
        "; rounds += 1 @ probe.py:35",
        "; return ctx.data_end - ctx.data @ probe.py:40",
    ):
        assert text in log
    assert "; return PASS @ probe.py:60" in verdict.logs["pass_all"]


def test_the_verifier_never_says_unknown() -> None:
    for make in SAMPLES.values():
        verdict = load_with_libbpf(write_object(make()), 2)
        for log in verdict.logs.values():
            assert "UNKNOWN" not in log
            assert "cannot be determined" not in log


@pytest.mark.parametrize("level", [1, 2])
def test_a_rejection_is_on_the_python_line(level: int) -> None:
    bad = ObjectFunction(
        "bad", "xdp", move(0, 0) + ins(0x79, 1, 2) + EXIT, context("xdp_md"), I32,
        lines=(line(0, 3, "x = 0"), line(8, 4, "y = größe[x]")),
    )  # fmt: skip
    verdict = load_with_libbpf(write_object(ObjectModel((bad,))), level)
    assert not verdict.ok
    log = verdict.logs["bad"]
    assert log.index("; y = größe[x] @ probe.py:4") < log.index("R2 !read_ok")


@pytest.mark.parametrize("library", LIBRARIES)
def test_calls_callbacks_and_data_go_where_they_should(library: str) -> None:
    with loaded(write_object(samples.subprograms()), library) as seen:
        assert seen.test_run("filter_packets", PACKET) == 2
        assert seen.lookup(".bss", bytes(4), 8) == struct.pack("<Q", 3)
        assert seen.test_run("pass_all", PACKET) == 2


def test_maps_and_globals_are_the_ones_named() -> None:
    with loaded(write_object(samples.all_maps())) as seen:
        one = struct.pack("<Q", 1)
        assert seen.test_run("count_per_cpu", context=bytes(16)) == 0
        assert one in (seen.lookup("per_cpu", bytes(4), 8 * 256) or b"")
        assert seen.lookup("counts", bytes(4), 8) is None
    with loaded(write_object(samples.data_sums())) as seen:
        # the second field of `limit`, `threshold`, `mode`; and what is in .bss
        assert seen.test_run("sum_data", PACKET) == 9 + 1000 + 1
        start = (seen.lookup(".bss", bytes(4), 16 + 2 * EVENT.size) or b"")[8:16]
        assert start == struct.pack("<Q", 1000)


def test_a_core_relocation_is_applied() -> None:
    moved = load_with_libbpf(write_object(samples.core_field()), 2)
    assert moved.clean, moved
    there = [row for row in moved.logs["read_task"].splitlines() if "r1 = *(u32 *)(r0 +" in row]
    assert there
    assert not any("(r0 +4)" in row for row in there)
    missing = load_with_libbpf(write_object(samples.core_field("no_such_field")))
    assert not missing.ok
    assert any("task_struct___ours.no_such_field (0:1 @ offset 4)" in text for text in missing.warnings)


def test_a_core_relocation_of_an_enumerator_is_applied() -> None:
    with loaded(write_object(samples.core_enumerator())) as seen:
        assert seen.test_run("enum_value", PACKET) == 27


KINDS = [
    ("PROG_ARRAY", 3, U32, U32), ("PERF_EVENT_ARRAY", 4, U32, U32), ("STACK_TRACE", 7, U32, ArrayType(U64, 127)),
    ("CGROUP_ARRAY", 8, U32, U32), ("LRU_PERCPU_HASH", 10, U32, U64), ("DEVMAP", 14, U32, U32),
    ("SOCKMAP", 15, U32, U64), ("CPUMAP", 16, U32, U32), ("XSKMAP", 17, U32, U32), ("SOCKHASH", 18, U64, U64),
    ("QUEUE", 22, None, EVENT), ("STACK", 23, None, U64), ("DEVMAP_HASH", 25, U32, U32),
    ("BLOOM_FILTER", 30, None, U64), ("USER_RINGBUF", 31, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "number", "key", "value"), KINDS, ids=[row[0] for row in KINDS])
def test_other_kinds_of_maps(kind: str, number: int, key: Type | None, value: Type | None, tmp_path: Path) -> None:
    entries = {"USER_RINGBUF": 4096, "CPUMAP": 1}.get(kind, 8)
    maps = (map_spec("thing", MapKind(kind, number), key, value, entries),)
    data = write_object(ObjectModel(samples.minimal().functions, maps))
    for judge in ("libbpf_system", "libbpf_pylibbpf", "gen_object", "cilium_parse"):
        check_with(judge, data, tmp_path)


# Contexts of global functions -------------------------------------------------------------------------------------

U64S = PtrType(U64, Space.CTX)
CONTEXTS = [
    ("xdp", "xdp_md", ()), ("tc", "__sk_buff", ()), ("raw_tp/sys_enter", "bpf_raw_tracepoint_args", ()),
    ("uprobe", "pt_regs", ()), ("perf_event", "bpf_perf_event_data", ()), ("sk_lookup", "bpf_sk_lookup", ()),
    ("tp/syscalls/sys_enter_openat", "trace_event_raw_sys_enter", ("arg:ctx",)),
    ("raw_tp/sys_enter", U64S, ("arg:ctx",)), ("syscall", "any_arguments", ("arg:ctx",)),
]  # fmt: skip


@pytest.mark.parametrize(("section", "type_", "tags"), CONTEXTS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_context_given_to_a_global_function(
    library: str, section: str, type_: Type | str, tags: tuple[str, ...]
) -> None:
    parameter = Param("ctx", type_, tags)
    load = 0x79 if section == "perf_event" else 0x61  # registers of a perf event are read whole
    main = ObjectFunction(
        "main_prog", section, move(2, 1) + CALL + RETURN_0, (parameter,), I32,
        relocs=(Reloc(8, "read_it", "call"),), lines=(line(0, 1, "x = 1"),),
    )  # fmt: skip
    read = ObjectFunction(
        "read_it", ".text", ins(load, 0, 1, off=16) + EXIT, (parameter, Param("n", U32)), U32,
        lines=(line(0, 9, "return ctx"),),
    )  # fmt: skip
    verdict = load_with_libbpf(write_object(ObjectModel((main, read))), 1, library)
    assert verdict.clean, verdict


# Any types ---------------------------------------------------------------------------------------------------------

scalars = st.sampled_from(
    [U8, U16, U32, U64, I32, BOOL, IntType(16, big=True), IntType(64, big=True), samples.ACTION, samples.TINY]
)
field_types = st.recursive(
    scalars | st.builds(TextType, st.integers(1, 20)) | st.builds(BytesType, st.integers(1, 20)),
    lambda inner: (
        st.builds(ArrayType, inner, st.integers(1, 4))
        | st.lists(inner, min_size=1, max_size=4).map(lambda types: struct_of(types, "Nested"))
    ),
    max_leaves=6,
)


def struct_of(types: list[Type], name: str) -> StructType:
    return layout(name, [(f"m{index}", type_) for index, type_ in enumerate(types)])


@settings(max_examples=40, deadline=None)
@given(st.lists(field_types, min_size=1, max_size=6), st.booleans())
def test_any_types_load(types: list[Type], constant: bool) -> None:
    whole = struct_of(types, "Whole")
    maps = (map_spec("by_whole", samples.HASH, whole, whole), map_spec("slots", samples.ARRAY, U32, whole))
    data = GlobalSpec("here", whole, b"\1" * whole.size, constant)
    model = ObjectModel(samples.minimal().functions, maps, (data,))
    verdict = load_with_libbpf(write_object(model))
    assert verdict.clean, verdict


# What generators and linkers make of it ---------------------------------------------------------------------------


def test_cilium_sees_maps_and_programs(tmp_path: Path) -> None:
    spec = cilium_spec(written(samples.all_maps(), tmp_path))
    counts = spec["maps"]["counts"]
    assert (counts["Type"], counts["KeySize"], counts["ValueSize"], counts["MaxEntries"]) == ("Hash", 4, 8, 16)
    events = spec["maps"]["events_by_key"]
    assert (events["KeySize"], events["ValueSize"]) == (8, EVENT.size)
    assert "Key" in events["Key"]
    assert "Event" in events["Value"]
    assert spec["maps"]["blocked"]["Flags"] == 1
    assert (spec["maps"]["stream"]["Type"], spec["maps"]["stream"]["MaxEntries"]) == ("RingBuf", 4096)
    assert spec["programs"]["count_plain"] == {
        "Type": "RawTracepoint",
        "Section": "raw_tp/sys_enter",
        "AttachTo": "sys_enter",
        "License": "GPL",
        "Instructions": spec["programs"]["count_per_cpu"]["Instructions"],
    }


def test_the_skeleton_names_the_globals(tmp_path: Path) -> None:
    text = gen_skeleton(written(samples.global_data(), tmp_path)).output
    for member in (
        "unsigned int only_pid;", "char prefix[8];", "struct Key limit;", "unsigned long long threshold;",
        "enum Action mode;", "struct Event table[2];", "struct bpf_program *use_data;",
    ):  # fmt: skip
        assert member in text
    assert "____fmt" not in text


def test_two_objects_can_be_linked(tmp_path: Path) -> None:
    one = written(samples.all_maps(), tmp_path, "one.bpf.o")
    two = written(samples.subprograms(), tmp_path, "two.bpf.o")
    verdict = gen_object(one, two)
    assert verdict.clean, verdict


@pytest.mark.parametrize("make", [samples.subprograms, samples.data_sums])
def test_iproute2_attaches_it(make: Callable[[], ObjectModel], tmp_path: Path) -> None:
    verdict = ip_xdp(written(make(), tmp_path))
    assert verdict.clean, verdict
    assert "prog/xdp" in verdict.output
