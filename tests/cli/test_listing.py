"""Source beside bytecode, read back from objects: ours, clang's, broken ones."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pybpf import HashMap, TracepointContext, build, pid, tracepoint, u32, u64
from pybpf.listing import Listing, Row, listings, side_by_side
from pybpf.stdlib.helpers import names, spec_of

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

seen = HashMap[u32, u64](max_entries=64)


@tracepoint("syscalls:sys_enter_openat")
def first(ctx: TracepointContext) -> None:
    seen[pid()] += 1


@tracepoint("syscalls:sys_exit_openat")
def second(ctx: TracepointContext) -> None:
    if ctx.ret < 0:
        seen[pid()] = 0


def test_all_programs_with_all_instructions() -> None:
    made = build(first, second)
    found = listings(made.elf)
    assert [(listing.name, listing.section) for listing in found] == [
        ("first", "tracepoint/syscalls/sys_enter_openat"),
        ("second", "tracepoint/syscalls/sys_exit_openat"),
    ]
    for listing in found:
        code = made.functions[listing.name].code
        last = listing.rows[-1]
        assert (last.slot + 1) * 8 == len(code)
        assert last.text == "exit"
        assert any(row.text.endswith("; seen") for row in listing.rows), "what an address refers to is named"
    text = side_by_side(found)
    assert "  seen[pid()] += 1  " in text and "  seen[pid()] = 0  " in text
    assert "call bpf_map_update_elem#2" in text


def test_helpers_are_numbered_without_gaps() -> None:
    """What `listings` takes for granted."""
    for number, name in enumerate(names(), 1):
        spec = spec_of(name)
        assert spec is not None and spec.id == number


def test_an_object_of_clang(tmp_path: Path) -> None:
    clang, objdump = shutil.which("clang-19"), shutil.which("llvm-objdump-19")
    if clang is None or objdump is None:
        pytest.skip("clang-19 is not installed")
    command = [clang, "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-I/usr/include/x86_64-linux-gnu", "-c"]
    subprocess.run([*command, BENCHMARKS / "hello.c", "-o", tmp_path / "hello.o"], check=True)
    (listing,) = listings((tmp_path / "hello.o").read_bytes())
    text = subprocess.run([objdump, "-d", tmp_path / "hello.o"], check=True, capture_output=True, text=True).stdout
    slots = [int(match[1]) for match in re.finditer(r"^\s+(\d+):\t", text, re.MULTILINE)]
    assert [row.slot for row in listing.rows] == slots
    assert {row.source.strip() for row in listing.rows} >= {"bpf_get_current_comm(comm, sizeof(comm));", "return 0;"}


def test_columns_stand_under_each_other() -> None:
    rows = (
        Row(0, "r0 = 0", "a.py", 9, "\tx = '漢字'"),
        Row(1, "r1 = 1", "a.py", 9, "\tx = '漢字'"),
        Row(2, "r2 = 2", "a.py", 10, "y = " + "long + " * 20),
        Row(3, "exit", "", 0, ""),
    )
    assert side_by_side([Listing("f", "xdp", rows)]).split("\n") == [
        "f: xdp, 4 instructions",
        "   9      x = '漢字'     0: r0 = 0",
        "                         1: r1 = 1",
        "  10  y = " + ("long + " * 20).rstrip(),
        "                         2: r2 = 2",
        "                         3: exit",
    ]


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF" + bytes(200), b"nonsense"])
def test_what_is_no_object(data: bytes) -> None:
    with pytest.raises(ValueError):
        listings(data)


def test_an_object_for_another_machine() -> None:
    with pytest.raises(ValueError, match="not a BPF object"):
        listings(Path("/bin/true").read_bytes())
