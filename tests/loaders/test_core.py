"""CO-RE relocations: those that clang emits for the same accesses; and every loader adapts them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from pybpf import build
from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.btf.ext import decode_ext
from pybpf.compiler.btf.types import Struct
from pybpf.compiler.isa.insn import decode
from pybpf.compiler.isa.opcodes import LD_IMM64
from pybpf.compiler.schema.core import TYPE_ID_LOCAL, TYPE_ID_TARGET
from tests.loaders import relocated
from tests.loaders.harness import JUDGES, check_with, need_tool, run
from tests.vm import walks

ROOT = Path(__file__).parents[2]
SECTION = "tp_btf/sched_switch"


def relocations(elf: bytes) -> list[tuple[int, str, str, int]]:
    """(kind, type, access string, what the instruction holds) of each relocation, sorted."""
    file = ELFFile(io.BytesIO(elf))
    data = {s.name: s.data() for s in file.iter_sections()}
    btf = decode_btf(data[".BTF"])
    code = {}
    at = 0
    for insn in decode(data[SECTION]):
        code[at] = insn
        at += 8 * insn.slots
    found = []
    for relo in decode_ext(data[".BTF.ext"], btf.string).core[SECTION]:
        insn = code[relo.offset]
        held = insn.off if insn.opcode & 7 == 1 else insn.imm
        local = insn.opcode == LD_IMM64 and relo.relocation in (TYPE_ID_LOCAL, TYPE_ID_TARGET)
        kind: Any = btf[relo.type]
        assert not local or held == relo.type  # the type's own number, in either object
        steps = list(map(int, relo.access.split(":")))
        # clang and the loaders do not agree on the unit that holds a bit field; libbpf does not compare it
        in_bits = len(steps) == 2 and kind.members[steps[1]].bits
        held = 0 if local or in_bits else held
        found.append((relo.relocation, f"{type(kind).__name__} {kind.name}", relo.access, held))
    return sorted(found)


def test_relocations_are_those_of_clang(tmp_path: Path) -> None:
    ours = build(relocated.relocated).elf
    (tmp_path / "ours.o").write_bytes(ours)
    header = run([need_tool("bpftool"), "btf", "dump", "file", str(tmp_path / "ours.o"), "format", "c"])
    assert header.clean, header.warnings
    types = "\n".join(line for line in header.output.splitlines() if not line.startswith("#"))
    command = [need_tool("clang-19"), "-target", "bpf", "-mcpu=v3", "-g", "-O2", "-xc", "-", "-c", "-o", "clang.o"]
    subprocess.run(command, input=relocated.C % types, text=True, check=True, cwd=tmp_path)
    theirs = relocations((tmp_path / "clang.o").read_bytes())
    assert relocations(ours) == theirs
    assert {kind for kind, *_ in theirs} == set(range(13))


@pytest.mark.kernel
@pytest.mark.parametrize("judge", [judge for judge in JUDGES if judge != "cilium_load"])  # its 0.9 knows no ENUM64
@pytest.mark.parametrize("programs", [(walks.by_address,), (walks.issue, walks.complete)], ids=str)
def test_every_loader_adapts_them(programs: tuple[Any, ...], judge: str, tmp_path: Path) -> None:
    check_with(judge, build(*programs).elf, tmp_path)


@pytest.mark.kernel
@pytest.mark.parametrize("judge", ["libbpf_system", "libbpf_pylibbpf", "bpftool_loadall", "gen_object"])
def test_every_kind_is_adapted(judge: str, tmp_path: Path) -> None:
    check_with(judge, build(relocated.relocated).elf, tmp_path)


def test_one_type_of_each_name() -> None:
    """Two programs that use different members share the structs that the object declares."""
    elf = build(walks.by_address, walks.by_load, walks.switched).elf
    file = ELFFile(io.BytesIO(elf))
    section = file.get_section_by_name(".BTF")
    assert section is not None
    btf = decode_btf(section.data())
    kinds = [btf[number] for number in range(1, len(btf))]
    named = [kind.name for kind in kinds if isinstance(kind, Struct) and kind.name]
    assert len(named) == len(set(named)) and "task_struct" in named


def test_the_same_bytes_without_a_kernel() -> None:
    """Nothing of the running kernel gets into an object whose types are those that come with pybpf."""
    script = """
import sys
from pybpf.stdlib.kernel import files, names
if len(sys.argv) > 1:
    files.RUNNING = names.RUNNING = files.MODULES = names.MODULES = "/nowhere"
from pybpf import build
from tests.vm import walks
sys.stdout.buffer.write(build(walks.by_address, walks.by_load, walks.switched).elf)
"""
    made = [
        subprocess.run([sys.executable, "-c", script, *more], check=True, capture_output=True, cwd=ROOT).stdout
        for more in ([], ["without"])
    ]
    assert made[0] == made[1] and made[0][:4] == b"\x7fELF"
