"""Bit fields and unions lie where clang puts them: its BTF beside ours, for random structs."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.elffile import ELFFile

from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.schema.types import BOOL, BitField, IntType, layout

if TYPE_CHECKING:
    from pathlib import Path

CLANG = shutil.which("clang-19") or shutil.which("clang")
_C = {(8, False): "unsigned char", (16, False): "unsigned short", (32, False): "unsigned int",
      (64, False): "unsigned long long", (8, True): "signed char", (16, True): "short", (32, True): "int",
      (64, True): "long long"}  # fmt: skip


def _random_members(random: random.Random) -> list[tuple[str, Any]]:
    members: list[tuple[str, Any]] = []
    for i in range(random.randint(1, 8)):
        kind: Any = IntType(random.choice((8, 16, 32, 64)), random.random() < 0.3)
        if random.random() < 0.1:
            members.append((f"m{i}", BitField(BOOL, 1)))
        elif random.random() < 0.7:
            members.append((f"m{i}", BitField(kind, random.randint(1, kind.bits))))
        else:
            members.append((f"m{i}", kind))
    return members


def _declared(name: str, declared: Any) -> str:
    kind: Any = declared.type if isinstance(declared, BitField) else declared
    spelled = "_Bool" if kind is BOOL else _C[kind.bits, kind.signed]
    return f"{spelled} {name}{f' : {declared.bits}' if isinstance(declared, BitField) else ''};"


@pytest.mark.skipif(CLANG is None, reason="clang is not installed")
def test_as_clang_lays_them_out(tmp_path: Path) -> None:
    made = random.Random(7)
    structs = []
    for i in range(120):
        members = _random_members(made)
        if i % 4 == 3:  # a union has whole members only
            members = [(name, m.type if isinstance(m, BitField) else m) for name, m in members]
        structs.append((f"s{i}", members, i % 4 == 2, i % 4 == 3))
    lines = []
    for name, members, packed, union in structs:
        body = " ".join([_declared(*member) for member in members])
        attribute = " __attribute__((packed))" if packed else ""
        lines.append(f"{'union' if union else 'struct'} {name} {{ {body} }}{attribute}; ")
        lines.append(f"{'union' if union else 'struct'} {name} v_{name};")
    source = tmp_path / "layouts.c"
    source.write_text("\n".join(lines))
    assert CLANG is not None
    subprocess.run([CLANG, "-target", "bpf", "-g", "-c", "-o", tmp_path / "layouts.o", source], check=True)
    with (tmp_path / "layouts.o").open("rb") as file:
        section: Any = ELFFile(file).get_section_by_name(".BTF")
        btf = decode_btf(section.data())
    found: dict[str, Any] = {}
    for i in range(1, len(btf)):
        item: Any = btf[i]
        if type(item).__name__ in ("Struct", "Union"):
            found[item.name] = item
    for name, members, packed, union in structs:
        ours = layout(name, members, packed=packed, union=union)
        theirs = found[name]
        assert ours.size == theirs.size, name
        assert [(f.name, 8 * f.offset + f.bit_offset, f.bits) for f in ours.fields] == [
            (m.name, m.offset, m.bits) for m in theirs.members
        ], name
