"""Golden texts: IR in; machine code before and after allocation, and final assembly out."""

from __future__ import annotations

from pybpf.compiler.codegen import allocate_registers, compile_function
from pybpf.compiler.codegen.checker import Checker
from pybpf.compiler.codegen.dump import dump_code, dump_function
from pybpf.compiler.codegen.isel import select
from pybpf.compiler.ir.parser import parse_function
from tests.golden import golden

HELPERS = {1: "bpf_map_lookup_elem", 2: "bpf_map_update_elem", 5: "bpf_ktime_get_ns", 7: "bpf_get_prandom_u32"}


def _text(source: str, name: str) -> str:
    """`v1` to `v4`: final assembly of the level; `machine`, `allocated`: before and after allocation, at level 3."""
    function = parse_function(source)
    if name == "machine":
        return dump_function(select(function, 3))
    if name == "allocated":
        return dump_function(allocate_registers(select(function, 3)))
    return dump_code(compile_function(function, int(name[1]), Checker), HELPERS)


test_codegen = golden("codegen/*.test", _text)
