"""The object's sections, symbols, relocations and source lines, as pyelftools sees them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.elffile import ELFFile

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import Btf, decode_btf
from pybpf.compiler.btf.ext import BtfExt, decode_ext
from pybpf.compiler.elf.dump import dump_elf, dump_types
from pybpf.compiler.elf.model import LineRecord, Literal, ObjectFunction, ObjectModel, Reloc
from pybpf.compiler.elf.writer import write_object
from pybpf.compiler.schema.specs import GlobalSpec
from pybpf.compiler.schema.types import I32, U8, U64
from tests.elf import samples
from tests.elf.samples import SAMPLES, context, line, load_address

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


class Seen:
    """An object as read back."""

    def __init__(self, model: ObjectModel) -> None:
        self.elf = ELFFile(BytesIO(write_object(model)))
        self.sections: dict[str, Any] = {s.name: s for s in self.elf.iter_sections() if s.name}
        self.table = self.sections[".symtab"]
        self.symbols: dict[str, Any] = {s.name: s for s in self.table.iter_symbols() if s.name}
        self.btf: Btf = decode_btf(self.sections[".BTF"].data())
        self.ext: BtfExt = decode_ext(self.sections[".BTF.ext"].data(), self.btf.string)

    def home(self, symbol: str) -> str:
        name: str = self.elf.get_section(self.symbols[symbol]["st_shndx"]).name
        return name

    def relocations(self, section: str) -> list[tuple[int, str, int]]:
        """(offset, symbol or section, type)"""
        found = []
        for relocation in self.sections[".rel" + section].iter_relocations():
            symbol = self.table.get_symbol(relocation["r_info_sym"])
            name = symbol.name or self.elf.get_section(symbol["st_shndx"]).name
            found.append((relocation["r_offset"], name, relocation["r_info_type"]))
        return found

    def immediate(self, section: str, offset: int) -> int:
        return int.from_bytes(self.sections[section].data()[offset + 4 : offset + 8], "little", signed=True)


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_holds_of_every_object(sample: str) -> None:
    seen = Seen(SAMPLES[sample]())
    header = seen.elf.header
    assert (header["e_machine"], header["e_type"], header["e_ident"]["EI_DATA"]) == ("EM_BPF", "ET_REL", "ELFDATA2LSB")
    assert len(seen.sections) == seen.elf.num_sections() - 1, "names of sections are distinct"
    for section in seen.sections.values():
        align = section["sh_addralign"]
        assert align >= 1
        assert section["sh_offset"] % align == 0
        assert section["sh_type"] != "SHT_RELA"
        assert section["sh_flags"] & 4 == 0 or align == 8
    bindings = [symbol["st_info"]["bind"] for symbol in seen.table.iter_symbols()]
    first = seen.table["sh_info"]
    assert set(bindings[:first]) == {"STB_LOCAL"}
    assert set(bindings[first:]) == {"STB_GLOBAL"}
    for symbol in seen.symbols.values():
        assert symbol["st_size"] > 0
    assert seen.sections["license"].data() == b"GPL\0"


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_variable_has_its_symbol(sample: str) -> None:
    seen = Seen(SAMPLES[sample]())
    for item in seen.btf:
        if isinstance(item, t.Datasec):
            assert item.size == seen.sections[item.name]["sh_size"] or item.name == ".rodata"
            for var in item.vars:
                what = seen.btf[var.type]
                assert isinstance(what, t.Var)
                assert what.linkage == t.GLOBAL
                symbol = seen.symbols[what.name]
                assert (symbol["st_value"], symbol["st_size"]) == (var.offset, var.size)
                assert symbol["st_info"]["type"] == "STT_OBJECT"
                assert seen.home(what.name) == item.name


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_function_has_its_records(sample: str) -> None:
    seen = Seen(SAMPLES[sample]())
    for section, infos in seen.ext.funcs.items():
        starts = {}
        for info in infos:
            func = seen.btf[info.type]
            assert isinstance(func, t.Func)
            starts[func.name] = info.offset
        symbols = {n: s["st_value"] for n, s in seen.symbols.items() if s["st_info"]["type"] == "STT_FUNC"}
        assert starts == {name: at for name, at in symbols.items() if seen.home(name) == section}
        offsets = [info.offset for info in seen.ext.lines[section]]
        assert offsets == sorted(set(offsets))
        assert set(starts.values()) <= set(offsets)
    assert sum(len(infos) for infos in seen.ext.funcs.values()) == len(SAMPLES[sample]().functions)


def test_subprograms_follow_each_other_in_text() -> None:
    seen = Seen(samples.subprograms())
    places = {name: (s["st_value"], s["st_size"], s["st_info"]["bind"]) for name, s in seen.symbols.items()}
    assert places["double_it"] == (0, 24, "STB_LOCAL")
    assert places["length_of"] == (24, 32, "STB_GLOBAL")
    assert places["each_round"] == (56, 56, "STB_LOCAL")
    assert places["filter_packets"] == (0, 112, "STB_GLOBAL")
    assert places["pass_all"] == (112, 16, "STB_GLOBAL")
    assert seen.home("pass_all") == "xdp"


def test_calls_and_callbacks() -> None:
    seen = Seen(samples.subprograms())
    assert seen.relocations("xdp") == [(16, ".text", 10), (32, ".text", 1), (88, "length_of", 10)]
    assert seen.immediate("xdp", 16) == -1  # the section's start, where double_it is
    assert seen.immediate("xdp", 32) == 56  # bytes to each_round
    assert seen.immediate("xdp", 88) == -1
    assert seen.relocations(".text") == [(56, "rounds", 1)]


def test_a_call_of_a_later_static_subprogram_counts_instructions() -> None:
    call = (Reloc(0, "each_round", "call"),)
    model = samples.subprograms()
    main = ObjectFunction("main_prog", "xdp", samples.CALL + samples.RETURN_0, (), I32, call, (line(0, 1, "x"),))
    seen = Seen(ObjectModel((*model.functions, main), globals=model.globals))
    assert seen.immediate("xdp", 128) == 56 // 8 - 1


def test_data_lies_where_its_symbols_say() -> None:
    seen = Seen(samples.global_data())
    rodata, data, bss = (seen.sections[name] for name in (".rodata", ".data", ".bss"))
    assert (rodata["sh_flags"], data["sh_flags"], bss["sh_flags"]) == (2, 3, 3)
    assert bss["sh_type"] == "SHT_NOBITS"
    for spec in samples.GLOBALS:
        start, size = seen.symbols[spec.name]["st_value"], seen.symbols[spec.name]["st_size"]
        home = seen.home(spec.name)
        assert home == (".rodata" if spec.constant else ".data" if any(spec.init) else ".bss")
        if home != ".bss":
            assert seen.sections[home].data()[start : start + size] == spec.init
    literal = seen.symbols["use_data____fmt"]
    assert literal["st_info"]["bind"] == "STB_LOCAL"
    assert rodata.data()[literal["st_value"] :] == b"n = %d\0"
    assert (seen.symbols["flag"]["st_value"], seen.symbols["total"]["st_value"]) == (0, 8)


def test_constants_are_const_volatile() -> None:
    seen = Seen(samples.global_data())
    number = seen.btf.find("only_pid", t.Var)
    chain = []
    while number:
        item = seen.btf[number]
        chain.append(type(item).__name__)
        number = getattr(item, "type", 0)
    assert chain == ["Var", "Const", "Volatile", "Int"]


def test_a_section_of_literals_has_no_variables() -> None:
    model = samples.global_data()
    text = (Reloc(0, "text", "global"),)
    main = ObjectFunction("main_prog", "xdp", load_address(1) + samples.RETURN_0, context("xdp_md"), I32, text)
    seen = Seen(ObjectModel((main,), literals=(Literal("text", b"abc\0"), Literal("more", b"12345678", 8))))
    assert model.literals
    assert seen.sections[".rodata"].data() == b"abc\0\0\0\0\x0012345678"
    assert seen.sections[".rodata"]["sh_addralign"] == 8
    assert seen.btf.find(".rodata") == 0


def map_members(seen: Seen, name: str) -> dict[str, int | str]:
    """The members of a map's definition: integers, or the C name of a type."""
    var = seen.btf[seen.btf.find(name, t.Var)]
    assert isinstance(var, t.Var)
    definition = seen.btf[var.type]
    assert isinstance(definition, t.Struct)
    assert definition.name == ""
    found: dict[str, int | str] = {}
    for index, member in enumerate(definition.members):
        assert member.offset == index * 64
        pointer = seen.btf[member.type]
        assert isinstance(pointer, t.Ptr)
        target = seen.btf[pointer.type]
        named = member.name not in ("key", "value") and isinstance(target, t.Array)
        found[member.name] = target.length if named else getattr(target, "name", "?")  # type: ignore[attr-defined]
    return found


def test_map_definitions() -> None:
    seen = Seen(samples.all_maps())
    assert map_members(seen, "counts") == {
        "type": 1,
        "max_entries": 16,
        "key": "unsigned int",
        "value": "unsigned long long",
    }
    assert map_members(seen, "events_by_key") == {"type": 1, "max_entries": 16, "key": "Key", "value": "Event"}
    assert map_members(seen, "blocked") == {
        "type": 11,
        "max_entries": 8,
        "map_flags": 1,
        "key": "Prefix",
        "value": "unsigned int",
    }
    assert map_members(seen, "stream") == {"type": 27, "max_entries": 4096}
    assert map_members(seen, "by_action")["key"] == "unsigned int"


def lines_of(code: bytes, *records: LineRecord) -> list[tuple[int, int]]:
    """(offset, line) of the records that the object has, of those given for a function after one of 16 bytes."""
    first = ObjectFunction("first", "xdp", samples.RETURN_0, context("xdp_md"), I32, (), (line(0, 1, "a"),))
    second = ObjectFunction("second", "xdp", code, context("xdp_md"), I32, (), records)
    infos = Seen(ObjectModel((first, second))).ext.lines["xdp"]
    return [(info.offset - 16, info.line) for info in infos[1:]]


def test_the_first_line_starts_at_the_first_instruction() -> None:
    assert lines_of(bytes(24), line(8, 5, "x"), line(16, 6, "y")) == [(0, 5), (16, 6)]


def test_a_repeated_line_is_left_out() -> None:
    assert lines_of(bytes(24), line(0, 5, "x"), line(8, 5, "x"), line(16, 6, "y")) == [(0, 5), (16, 6)]
    assert lines_of(bytes(24), line(0, 5, "x"), line(8, 5, "x", 9)) == [(0, 5), (8, 5)]
    assert lines_of(bytes(24), line(0, 1, "a"), line(8, 6, "y")) == [(0, 1), (8, 6)]


def test_the_last_of_two_lines_at_one_place_holds() -> None:
    assert lines_of(bytes(24), line(0, 5, "x"), line(8, 6, "y"), line(8, 7, "z")) == [(0, 5), (8, 7)]


def test_no_line_is_at_the_second_half_of_a_load() -> None:
    code = load_address(1) + samples.RETURN_0
    assert lines_of(code, line(0, 5, "x"), line(8, 6, "y"), line(16, 7, "z")) == [(0, 5), (16, 7)]


def test_unusual_text_in_lines() -> None:
    code = samples.RETURN_0
    main = ObjectFunction(
        "main_prog", "xdp", code, context("xdp_md"), I32, (), (LineRecord(0, "größe.py", "x = '\ud800é'", 1, 1),)
    )
    info = Seen(ObjectModel((main,))).ext.lines["xdp"][0]
    assert (info.file, info.text) == ("größe.py", "x = '?é'")


def test_the_same_bytes_everywhere(tmp_path: Path) -> None:
    program = (
        "import hashlib; from tests.elf.samples import SAMPLES; from pybpf.compiler.elf.writer import write_object\n"
        "print(hashlib.sha256(b''.join(write_object(make()) for make in SAMPLES.values())).hexdigest())"
    )
    here = hashlib.sha256(b"".join(write_object(make()) for make in SAMPLES.values())).hexdigest()
    pythons = {Path(sys.executable), *Path.home().glob(".pyenv/versions/3.1[0-9].*/bin/python")}
    for number, python in enumerate(sorted(pythons)):
        done = subprocess.run(
            [python, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(number)},
        )
        assert done.stdout.strip() == here, python


def test_dump() -> None:
    data = GlobalSpec("total", U64, bytes(8), constant=False)
    flag = GlobalSpec("flag", U8, b"\1", constant=True)
    code = load_address(1) + samples.RETURN_0
    reloc = (Reloc(0, "total", "global"),)
    main = ObjectFunction("main_prog", "xdp", code, context("xdp_md"), I32, reloc, (line(0, 1, "x"),))
    text = dump_elf(write_object(ObjectModel((main,), globals=(data, flag))))
    rows = [row.split() for row in text.splitlines()]
    assert ["1", "xdp", "PROGBITS", "64", "32", "8", "AX"] in rows
    assert ["2", ".rodata", "PROGBITS", "96", "1", "1", "A"] in rows
    assert ["3", "flag", ".bss", "0", "8", "global", "object"] not in rows
    assert ["3", "total", ".bss", "0", "8", "global", "object"] in rows
    assert ["1", "main_prog", "xdp", "0", "32", "global", "func"] in rows
    assert ["0", "xdp", "R_BPF_64_64", "total"] in rows


def test_dump_of_types() -> None:
    text = dump_types(write_object(samples.subprograms()))
    assert "unsigned int length_of(struct xdp_md *ctx, unsigned int seed);\n" in text
    assert "        24 probe.py:52:5: loop(3, each_round)\n" in text


@pytest.mark.parametrize("dump", [dump_elf, dump_types])
def test_dump_refuses_what_is_no_object(dump: Callable[[bytes], str]) -> None:
    with pytest.raises(ValueError, match="not a readable ELF file"):
        dump(b"not an object")
