"""Reading BTF that others wrote, and refusing what is none."""

from __future__ import annotations

import gzip
import json
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import Btf, decode_btf
from pybpf.compiler.btf.dump import dump_btf, dump_ext
from pybpf.compiler.btf.encode import btf_section, encode_types
from pybpf.compiler.btf.ext import decode_ext
from pybpf.compiler.btf.strings import StringTable
from pybpf.compiler.btf.types import BtfError
from pybpf.compiler.elf.writer import write_object
from tests.elf.samples import SAMPLES, core_field
from tests.loaders.harness import need_tool

KERNEL = Path("/sys/kernel/btf/vmlinux")
CILIUM = Path("/usr/share/gocode/src/github.com/cilium/ebpf/btf/testdata")

C_PROGRAM = """
typedef unsigned int u32;
enum wide { A = 1, B = 1ull << 40 };
enum small { C = -1, D };
struct inner { u32 low : 3, high : 5; enum wide wide; } __attribute__((preserve_access_index));
struct event { struct inner inner; union { int a; float *b; }; const char *volatile name; int (*call)(void *, ...); };
struct event table[3] __attribute__((section(".data")));
static volatile const u32 limit = 7;
struct { int (*type)[1]; int (*max_entries)[8]; u32 *key; struct event *value; } events
    __attribute__((section(".maps")));
__attribute__((noinline)) static int twice(int x) { return x * 2 + limit; }
__attribute__((section("raw_tp/sys_enter"))) int work(struct inner *ctx) { return twice(ctx->high) + (table[1].a = 3); }
char _license[] __attribute__((section("license"))) = "GPL";
"""


def elf_section(data: bytes, name: str) -> bytes:
    section = ELFFile(BytesIO(data)).get_section_by_name(name)
    assert section is not None
    content: bytes = section.data()
    return content


@pytest.fixture(scope="module")
def clang_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clang") / "c.o"
    source = path.with_suffix(".c")
    source.write_text(C_PROGRAM)
    compiler = need_tool("clang-19", "clang")
    command = [compiler, "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-c", str(source), "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def bpftool_types(path: Path) -> list[dict[str, Any]]:
    command = [need_tool("bpftool"), "-j", "btf", "dump", "file", str(path)]
    types: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["types"]
    return types


def assert_same(btf: Btf, rows: list[dict[str, Any]]) -> None:
    """Our reading of each type agrees with bpftool's."""
    assert len(btf) == len(rows) + 1
    for row in rows:
        item = btf[row["id"]]
        assert row["kind"] == type(item).__name__.replace("Proto", "_Proto").replace("Tag", "_Tag").upper()
        name = getattr(item, "name", getattr(item, "tag", ""))
        assert name == ("" if row["name"] == "(anon)" else row["name"])
        if isinstance(item, (t.Struct, t.Union)):
            assert item.size == row["size"]
            assert [(m.name or "(anon)", m.type, m.offset, m.bits) for m in item.members] == [
                (m["name"], m["type_id"], m["bits_offset"], m.get("bitfield_size", 0)) for m in row["members"]
            ]
        elif isinstance(item, (t.Enum, t.Enum64)):
            assert list(item.values) == [(v["name"], v["val"]) for v in row["values"]]
        elif isinstance(item, t.FuncProto):
            assert (item.result, len(item.params)) == (row["ret_type_id"], row["vlen"])
        elif isinstance(item, t.Datasec):
            assert [(v.type, v.size) for v in item.vars] == [(v["type_id"], v["size"]) for v in row["vars"]]
        elif isinstance(item, t.Array):
            assert (item.element, item.length) == (row["type_id"], row["nr_elems"])
        elif "type_id" in row:
            assert item.type == row["type_id"]


def test_clang_object_is_read_as_bpftool_does(clang_object: Path) -> None:
    btf = decode_btf(elf_section(clang_object.read_bytes(), ".BTF"))
    assert_same(btf, bpftool_types(clang_object))


def test_clang_ext_is_read(clang_object: Path) -> None:
    data = clang_object.read_bytes()
    btf = decode_btf(elf_section(data, ".BTF"))
    ext = decode_ext(elf_section(data, ".BTF.ext"), btf.string)
    assert {section: [btf[i.type].name for i in infos] for section, infos in ext.funcs.items()} == {  # type: ignore[attr-defined]
        ".text": ["twice"],
        "raw_tp/sys_enter": ["work"],
    }
    assert any("twice(ctx->high)" in info.text and info.line > 10 for info in ext.lines["raw_tp/sys_enter"])
    accesses = {(btf[i.type].name, i.access) for i in ext.core["raw_tp/sys_enter"]}  # type: ignore[attr-defined]
    assert accesses == {("inner", "0:1")}
    assert "raw_tp/sys_enter" in dump_ext(ext, btf)


def test_our_encoding_of_clang_types_is_read_alike(clang_object: Path) -> None:
    btf = decode_btf(elf_section(clang_object.read_bytes(), ".BTF"))
    strings = StringTable()
    assert list(decode_btf(btf_section(encode_types(btf, strings), strings))) == list(btf)


@pytest.mark.parametrize("sample", SAMPLES)
def test_our_objects_are_read_as_bpftool_does(sample: str, tmp_path: Path) -> None:
    path = tmp_path / "x.bpf.o"
    path.write_bytes(write_object(SAMPLES[sample]()))
    assert_same(decode_btf(elf_section(path.read_bytes(), ".BTF")), bpftool_types(path))


@pytest.fixture(scope="module")
def kernel() -> Btf:
    if not KERNEL.exists():
        pytest.skip(f"this kernel has no {KERNEL}")
    return decode_btf(KERNEL.read_bytes())


def test_the_kernel_s_types_are_found_by_name(kernel: Btf) -> None:
    task = kernel[kernel.find("task_struct", t.Struct)]
    assert isinstance(task, t.Struct)
    offsets = {member.name: member.offset // 8 for member in task.members}
    assert offsets["tgid"] == offsets["pid"] + 4
    function = kernel[kernel.find("vfs_read", t.Func)]
    assert isinstance(function, t.Func)
    proto = kernel[function.type]
    assert isinstance(proto, t.FuncProto)
    assert [param.name for param in proto.params] == ["file", "buf", "count", "pos"]
    helpers = kernel[kernel.find("bpf_func_id")]
    assert isinstance(helpers, t.Enum)
    assert dict(helpers.values)["BPF_FUNC_map_lookup_elem"] == 1
    assert kernel.find("no such type") == kernel.find("vfs_read", t.Struct) == 0


def test_every_type_of_the_kernel_can_be_read(kernel: Btf) -> None:
    kinds = {type(item) for item in kernel}
    assert {t.Int, t.Ptr, t.Struct, t.Union, t.Enum, t.Typedef, t.Func, t.FuncProto} <= kinds
    with pytest.raises(IndexError):
        kernel[len(kernel)]


def test_a_module_s_types_continue_those_of_the_kernel() -> None:
    module, base = CILIUM / "btf_testmod.btf", CILIUM / "vmlinux.btf.gz"
    if not (module.exists() and base.exists()):
        pytest.skip("golang-github-cilium-ebpf-dev, which has a module's BTF, is not installed")
    kernel = decode_btf(gzip.decompress(base.read_bytes()))
    btf = decode_btf(module.read_bytes(), kernel)
    number = btf.find("bpf_testmod_test_read", t.Func)
    assert number >= len(kernel)
    function = btf[number]
    assert isinstance(function, t.Func)
    proto = btf[function.type]
    assert isinstance(proto, t.FuncProto)
    assert [param.name for param in proto.params] == ["file", "kobj", "bin_attr", "buf", "off", "len"]
    assert btf.find("task_struct", t.Struct) < len(kernel)
    assert btf[-1] == btf[len(btf) - 1]
    assert btf[0:2] == [t.VOID, kernel[1]]


GOOD = elf_section(write_object(SAMPLES["global_data"]()), ".BTF")
GOOD_EXT = elf_section(write_object(core_field()), ".BTF.ext")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "only 0 bytes"),
        (b"\xeb\x9f" + GOOD[2:], "big-endian"),
        (b"\x7fELF" + GOOD[4:], "magic number is 0x457f"),
        (GOOD[:2] + b"\2" + GOOD[3:], "version 2"),
        (GOOD[:60], "past the end"),
        (GOOD[:-1], "past the end"),
        (GOOD[:-1] + b"x", "doesn't end with a NUL"),
        (GOOD[:24] + bytes(4) + (20 << 24).to_bytes(4, "little") + GOOD[32:], r"\[1\]: kind 20 is not known"),
        (btf_section(b"\0" * 7 + b"\2", StringTable()), r"\[1\]: cut short"),
        (btf_section(b"\0\0\0\0\1\0\0\x04\0\0\0\0", StringTable()), r"\[1\]: cut short"),
    ],
)
def test_what_is_no_btf_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BtfError, match=message):
        decode_btf(data)


def test_names_outside_the_strings_are_refused() -> None:
    types = encode_types([t.VOID, t.Typedef("some_name", 1)], StringTable())
    with pytest.raises(BtfError, match=r"\[1\]: no string at 1; the table has 1 bytes"):
        decode_btf(btf_section(types, StringTable()))[1]


changes = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4)


def change(data: bytes, edits: list[tuple[int, int]], keep: int) -> bytes:
    changed = bytearray(data)
    for at, value in edits:
        changed[keep + at % (len(data) - keep)] = value
    return bytes(changed)


@settings(max_examples=150, deadline=None)
@given(changes, st.sampled_from([0, 24]))
def test_damaged_btf_is_read_or_refused(edits: list[tuple[int, int]], keep: int) -> None:
    try:
        dump_btf(decode_btf(change(GOOD, edits, keep)))
    except BtfError:
        pass


@settings(max_examples=150, deadline=None)
@given(changes, st.sampled_from([0, 8, 32]))
def test_damaged_ext_is_read_or_refused(edits: list[tuple[int, int]], keep: int) -> None:
    try:
        decode_ext(change(GOOD_EXT, edits, keep), lambda offset: str(offset))
    except BtfError:
        pass
