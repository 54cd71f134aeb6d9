"""What must hold of a model before it is written: assertions, since the compiler made it.

A user's mistakes (names, sizes) are found earlier, where there is a source line to show.
"""

from __future__ import annotations

from pybpf.compiler.elf.names import check_symbol_name
from pybpf.compiler.schema.types import size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.elf.model import ObjectFunction, ObjectModel

__all__ = ["check_model"]

LD_IMM64 = 0x18
CALL = 0x85
_PSEUDO_CALL = 1

# kind of relocation -> opcode of its instruction
_OPCODES = {"map": LD_IMM64, "global": LD_IMM64, "callback": LD_IMM64, "call": CALL, "extern": CALL}


def check_model(model: ObjectModel) -> None:
    """Raise AssertionError, saying what is wrong, for a model that would make a bad object."""
    kinds = _symbols(model)
    assert "\0" not in model.license, "the licence holds a NUL"
    lined = [bool(function.lines) for function in model.functions]
    assert all(lined) or not any(lined), "some functions have lines and some have none: libbpf refuses that"
    for function in model.functions:
        _check_function(function, kinds)
    for spec in model.globals:
        assert len(spec.init) == size_of(spec.type) > 0, f"{spec.name}: {len(spec.init)} bytes for a {spec.type}"
    for map_ in model.maps:
        for number in (map_.max_entries, map_.flags, map_.pinning):
            assert 0 <= number < 1 << 32, f"map {map_.name}: {number} does not fit 32 bits"
        assert 0 <= map_.extra < 1 << 64, f"map {map_.name}: {map_.extra} does not fit 64 bits"
    for extern in model.externs:
        known = extern.section == ".ksyms" or (extern.section == ".kconfig" and extern.params is None)
        assert known, f"extern {extern.name}"


def _symbols(model: ObjectModel) -> dict[str, str]:
    """Symbol -> the kind of relocation that may refer to it ("subprogram": call, and callback if static)."""
    kinds: dict[str, str] = {}

    def define(name: str, kind: str) -> None:
        assert name not in kinds, f"two symbols are named {name}"
        kinds[name] = kind

    for function in model.functions:
        subprogram = function.section == ".text"
        define(function.name, f"{function.linkage} subprogram" if subprogram else "program")
    for map_ in model.maps:
        define(map_.name, "map")
    for spec in model.globals:
        define(spec.name, "global")
    for table in model.ops:
        for name in table.programs.values():
            assert kinds.get(name) == "program", f"{table.name}: no program {name}"
        define(table.name, "table")
    for name in kinds:
        reason = check_symbol_name(name)
        assert reason is None, f"{name} {reason}"
    for literal in model.literals:
        define(literal.name, "global")
    for extern in model.externs:
        define(extern.name, "global" if extern.params is None else "extern")
    return kinds


_TARGETS = {
    "map": ("map",),
    "global": ("global", "extern"),
    "extern": ("extern",),
    "call": ("static subprogram", "global subprogram"),
    "callback": ("static subprogram",),
}


def _check_function(function: ObjectFunction, kinds: dict[str, str]) -> None:
    name, code = function.name, function.code
    assert code and len(code) % 8 == 0, f"{name}: {len(code)} bytes of code"
    assert function.linkage in ("global", "static"), f"{name}: linkage {function.linkage}"
    assert function.section == ".text" or function.linkage == "global", f"{name}: a program must be global"
    assert function.section and function.section.isascii(), f"{name}: section {function.section!r}"
    last = -1
    for line in function.lines:
        assert last <= line.offset < len(code) and line.offset % 8 == 0, f"{name}: line record at {line.offset}"
        last = line.offset
    for reloc in function.relocs:
        at, kind = reloc.offset, reloc.kind
        assert 0 <= at < len(code) and at % 8 == 0, f"{name}: relocation at {at}"
        assert kinds.get(reloc.symbol) in _TARGETS[kind], f"{name}: no {kind} {reloc.symbol}"
        source = code[at + 1] >> 4
        assert code[at] == _OPCODES[kind], f"{name}: a {kind} relocation at {at} of opcode {code[at]:#x}"
        assert source == (_PSEUDO_CALL if code[at] == CALL else 0), f"{name}: source register {source} at {at}"
        if code[at] == LD_IMM64:
            assert not any(code[at + 4 : at + 16]), f"{name}: a {kind} relocation at {at} with an immediate"
    for core in function.core:
        assert 0 <= core.offset < len(code) and core.offset % 8 == 0, f"{name}: CO-RE relocation at {core.offset}"
