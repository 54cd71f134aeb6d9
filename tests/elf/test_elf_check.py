"""A model that would make a bad object is refused, with what is wrong in the message."""

from __future__ import annotations

from typing import Any

import pytest

from pybpf.compiler.elf.check import check_model
from pybpf.compiler.elf.model import ExternSpec, Literal, ObjectFunction, ObjectModel, Reloc
from pybpf.compiler.elf.writer import write_object
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import GlobalSpec, MapSpec
from pybpf.compiler.schema.types import I32, U32, U64
from tests.elf.samples import CALL, EXIT, HASH, RETURN_0, SAMPLES, context, ins, line, load_address, map_spec

STATIC = ObjectFunction("helper_fn", ".text", RETURN_0, (), I32, linkage="static", lines=(line(0, 9, "x"),))
GLOBAL = replace(STATIC, name="global_fn", linkage="global")


def function(**changes: Any) -> ObjectFunction:
    whole = ObjectFunction("work", "xdp", RETURN_0, context("xdp_md"), I32, lines=(line(0, 1, "x"),))
    return replace(whole, **changes)


def model(*functions: ObjectFunction, **parts: Any) -> ObjectModel:
    return ObjectModel(functions or (function(),), **parts)


def with_reloc(code: bytes, symbol: str, kind: str, offset: int = 0) -> ObjectModel:
    main = function(code=code + RETURN_0, relocs=(Reloc(offset, symbol, kind),))
    return model(main, STATIC, GLOBAL, maps=(map_spec("counts", HASH, U32, U64),))


BAD = {
    "two symbols are named counts": model(maps=(map_spec("counts", HASH, U32, U64),) * 2),
    "two symbols are named work": model(literals=(Literal("work", b"x"),)),
    "range is a keyword of Go": model(function(name="range")),
    "the licence holds a NUL": model(license="GPL\0"),
    "some functions have lines and some have none": model(function(), function(name="b", lines=())),
    "work: 0 bytes of code": model(function(code=b"")),
    "work: 12 bytes of code": model(function(code=bytes(12))),
    "work: a program must be global": model(function(linkage="static")),
    "work: linkage weak": model(function(linkage="weak")),
    "work: line record at 16": model(function(lines=(line(16, 1, "x"),))),
    "work: line record at 4": model(function(lines=(line(4, 1, "x"),))),
    "work: line record at 0": model(function(lines=(line(8, 1, "x"), line(0, 2, "y")))),
    "work: relocation at 40": with_reloc(CALL, "helper_fn", "call", 40),
    "work: no map lost": with_reloc(load_address(1), "lost", "map"),
    "work: no global counts": with_reloc(load_address(1), "counts", "global"),
    "work: no callback global_fn": with_reloc(load_address(1), "global_fn", "callback"),
    "work: no call work": with_reloc(CALL, "work", "call"),
    "work: a map relocation at 0 of opcode 0x85": with_reloc(CALL, "counts", "map"),
    "work: a call relocation at 0 of opcode 0x18": with_reloc(load_address(1), "helper_fn", "call"),
    "work: source register 0 at 0": with_reloc(ins(0x85), "helper_fn", "call"),
    "work: source register 1 at 0": with_reloc(ins(0x18, 1, 1) + EXIT, "counts", "map"),
    "work: a map relocation at 0 with an immediate": with_reloc(ins(0x18, 1, imm=4) + ins(0), "counts", "map"),
    "limit: 2 bytes for a u32": model(globals=(GlobalSpec("limit", U32, b"ab", constant=True),)),
    "map big: 4294967296 does not fit": model(maps=(MapSpec("big", HASH, U32, U64, 1 << 32),)),
    "extern thing": model(externs=(ExternSpec("thing", ".data", I32),)),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_models_are_refused(message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        write_object(BAD[message])
    assert message in str(caught.value)


@pytest.mark.parametrize("sample", SAMPLES)
def test_good_models_pass(sample: str) -> None:
    check_model(SAMPLES[sample]())
