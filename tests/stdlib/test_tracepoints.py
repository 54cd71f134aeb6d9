"""The bundled tracepoint table, against the running kernel's own `format` files."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pybpf.compiler.schema.types import I32, I64, U16, U32, U64, ArrayType, BoolType, BytesType, IntType, TextType
from pybpf.stdlib import tracepoints
from pybpf.stdlib.contexts.tracing import TracepointContext

sys.path.insert(0, str(Path(__file__).parent))
import verifier

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "stdlib" / "data" / "tracepoints"

DUMP = r"""
import os, sys
for folder, _, files in sorted(os.walk(sys.argv[1])):
    if "format" in files:
        with open(os.path.join(folder, "format")) as file:
            sys.stdout.write("\0" + os.path.relpath(folder, sys.argv[1]) + "\n" + file.read())
"""


def by_name(category: str, event: str) -> dict[str, object]:
    return {field.name: field for field in tracepoints.bundled(category, event) or []}


def kinds(category: str, event: str) -> dict[str, object]:
    return {field.name: field.type for field in tracepoints.bundled(category, event) or []}


@pytest.fixture(scope="module")
def formats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """`category:event` -> the text of its format file, read through a tracefs mounted for this test alone."""
    if os.geteuid() != 0:
        pytest.skip("mounting tracefs needs root")
    kernel = ".".join(platform.release().split(".")[:2])
    made = (TABLE / "sched.tsv").read_text().split(" ")[2]
    if kernel != made:
        pytest.skip(f"this kernel is {kernel}, and the table is of {made}")
    mount = tmp_path_factory.mktemp("tracefs")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tracefs none "$0" && exec "$1" -c "$2" "$0/events"', mount,
         sys.executable, DUMP], capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"this kernel has no tracefs to mount: {done.stderr}")
    found = {}
    for part in done.stdout.split("\0")[1:]:
        name, _, text = part.partition("\n")
        category, _, event = name.partition("/")
        if category != "ftrace" and event:
            found[f"{category}:{event}"] = text
    assert len(found) > 1000
    return found


def test_all_tracepoints_are_there(formats: dict[str, str]) -> None:
    assert sorted(formats) == sorted(tracepoints.names())


def test_fields_are_where_the_kernel_says(formats: dict[str, str]) -> None:
    pattern = re.compile(r"field:(.*?)(\w+)(\[.*?\])?;\s*offset:(\d+);\s*size:(\d+);\s*signed:(\d);")
    left_out = set()
    for name, text in formats.items():
        category, _, event = name.partition(":")
        fields = by_name(category, event)
        said = {}
        for declared, field, array, offset, size, signed in pattern.findall(text):
            if int(offset) >= 8:
                said[field] = (declared.strip(), array, int(offset), int(size), signed == "1")
        assert list(fields) == [field for field in said if field in fields], name
        for field, (declared, array, offset, size, signed) in said.items():
            if field not in fields:
                left_out.add(" ".join(declared.split()) + array)
                continue
            has = fields[field]
            where = f"{name}.{field}: {declared}{array}"
            assert has.offset == offset, where
            if "__data_loc" in declared:
                assert (has.role, has.size, declared.replace(" ", "")) == ("data_loc", 4, "__data_locchar[]"), where
            elif array:
                assert (has.role, has.size) == ("array", size), where
            elif category == "syscalls" and size == 8:
                assert has.size <= 8 and isinstance(has.type, IntType), where
                assert has.size == 8 or "*" not in declared, where
            else:
                assert has.size == size, where
                if "*" not in declared and isinstance(has.type, IntType):
                    assert has.type.signed == signed, where
    # Dynamic arrays of something else than char, and C flexible arrays; nothing else.
    assert all("__data_loc" in declared or declared.endswith("[]") for declared in left_out), left_out


def test_types_by_example() -> None:
    assert kinds("syscalls", "sys_enter_openat") == {
        "__syscall_nr": I32, "dfd": I32, "filename": U64, "flags": I32, "mode": U16,
    }  # fmt: skip
    assert kinds("syscalls", "sys_exit_openat") == {"__syscall_nr": I32, "ret": I64}
    assert kinds("syscalls", "sys_enter_lseek") == {"__syscall_nr": I32, "fd": U32, "offset": I64, "whence": U32}
    assert kinds("syscalls", "sys_enter_read")["count"] == U64
    assert kinds("raw_syscalls", "sys_enter") == {"id": I64, "args": ArrayType(U64, 6)}
    switch = kinds("sched", "sched_switch")
    assert (switch["prev_comm"], switch["prev_pid"], switch["prev_state"]) == (TextType(16), I32, I64)
    assert isinstance(kinds("sched", "sched_process_exec")["filename"], TextType)
    assert kinds("sched", "sched_process_exit")["group_dead"] == BoolType()
    assert kinds("tcp", "tcp_probe")["saddr"] == BytesType(28)


def test_the_table_is_compact_and_read_by_the_shard() -> None:
    sizes = [file.stat().st_size for file in TABLE.glob("*.tsv")]
    assert sum(sizes) < 500_000
    assert max(sizes) < 60_000


def test_unknown_names_are_not_found() -> None:
    for category, event in (("sched", "nothing"), ("nothing", "sched_switch"), ("../net", "x"), ("sched", "")):
        assert tracepoints.bundled(category, event) is None
        assert tracepoints.live("../sched", "x") is None


def test_context() -> None:
    spec = tracepoints.context_of("sched", "sched_process_exec", TracepointContext)
    assert spec.owner is TracepointContext
    filename = spec.field("filename")
    assert filename is not None and (filename.role, filename.offset, filename.size) == ("data_loc", 8, 4)


def test_formats_are_parsed_as_written() -> None:
    text = """name: x
ID: 1
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:const char *const * argv;	offset:8;	size:8;	signed:0;
	field:char *name;	offset:16;	size:8;	signed:0;
	field:unsigned char mac[6];	offset:24;	size:6;	signed:0;
	field:__data_loc char[] path;	offset:32;	size:4;	signed:0;
	field:__data_loc u64[] values;	offset:36;	size:4;	signed:0;
	field:enum zone_type zone;	offset:40;	size:4;	signed:0;
	field:bool on;	offset:44;	size:1;	signed:0;
	field:unsigned int list[3];	offset:48;	size:12;	signed:0;
	field:struct odd thing;	offset:60;	size:12;	signed:0;

print fmt: "field:int nothing;	offset:99;	size:4;	signed:1;"
"""
    assert tracepoints.parse_format(text, False) == [
        "argv u64 8", "name u64 16", "mac b6 24", "path dyn 32", "zone u32 40", "on bool 44", "list au32x3 48",
    ]  # fmt: skip


def test_raw_tracepoints_by_example() -> None:
    assert tracepoints.raw_arguments("sys_enter") == ("regs", "id")
    assert tracepoints.raw_arguments("sched_process_exec") == ("p", "old_pid", "bprm")
    assert tracepoints.raw_arguments("no_such_tracepoint") is None


@pytest.mark.kernel
def test_the_kernel_has_so_many_raw_arguments() -> None:
    """A program that reads the last argument attaches; one that reads a further one doesn't (bpf_probe_register)."""
    text = (ROOT / "stdlib" / "data" / "raw_tracepoints.tsv").read_text()
    kernel = ".".join(platform.release().split(".")[:2])
    if text.split(" ")[2] != kernel:
        pytest.skip(f"this kernel is {kernel}, and the table is of {text.split(' ')[2]}")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    for name, arguments in rows[::40]:
        count = len(arguments.split())
        if count:
            assert verifier.attach_raw(name, 8 * (count - 1)), name
        if count < 12:
            assert not verifier.attach_raw(name, 8 * count), name
