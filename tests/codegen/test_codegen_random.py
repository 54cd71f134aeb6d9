"""Random modules through selection, allocation and encoding, at every ISA level: checked, then run in the kernel."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybpf.compiler.codegen import compile_function
from pybpf.compiler.codegen.checker import Checker
from pybpf.compiler.ir import ops
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.insn import Insn, decode
from pybpf.compiler.isa.levels import is_valid, level
from pybpf.compiler.passes import optimise
from tests.codegen import kernel
from tests.codegen.emulate import emulated
from tests.codegen.load_module import run_module
from tests.codegen.pressure import crowded_modules
from tests.ir.random_ir import modules, observe

LEVELS = (1, 2, 3, 4)
PACKET = bytes(range(3, 83))


def is_fetching_atomic(insn: Insn) -> bool:
    """Asked for by the IR; a level without them has no other way to do it."""
    return insn.opcode & 0xE7 == op.STX | op.ATOMIC and insn.imm != op.ADD


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(modules(60))
def test_allocations_are_right_and_instructions_of_the_level(module):
    for function in module.functions:
        for wanted in LEVELS:
            code = compile_function(function, wanted, Checker)
            insns = decode(code.code)
            assert all(is_valid(i) for i in insns)
            assert all(level(i) <= wanted or is_fetching_atomic(i) for i in insns)
            assert sum(i.slots for i in insns) == len(code.code) // 8
            records = [line.offset for line in code.lines]
            assert records == sorted(set(records))
            starts = {at * 8 for at, _ in code.insns}
            assert all(r.offset in starts for r in code.relocs)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(modules(40), crowded_modules(25)), st.sampled_from(LEVELS), st.booleans())
def test_the_isa_computes_what_the_ir_means(module, wanted, optimised):
    before = observe(module, PACKET)
    if optimised:
        optimise(module, (), lambda name, function: None)
    codes = [compile_function(function, wanted, Checker) for function in module.functions]
    assert observe(module, PACKET, machine=emulated(codes)) == before


@pytest.mark.kernel
@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(modules(40), st.sampled_from(LEVELS))
def test_the_kernel_computes_what_the_ir_means(module, wanted):
    codes = [compile_function(function, wanted, Checker) for function in module.functions]
    assert run_module(module, codes, PACKET) == observe(module, PACKET)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(modules(40))
def test_the_same_function_gives_the_same_bytes_and_is_left_alone(module):
    before = [[(type(o), o.args()) for o in f.ops() if type(o) is not ops.Const] for f in module.functions]
    first = [compile_function(f).code for f in module.functions]
    assert [compile_function(f).code for f in module.functions] == first
    assert [[(type(o), o.args()) for o in f.ops() if type(o) is not ops.Const] for f in module.functions] == before


@pytest.mark.kernel
@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crowded_modules(25), st.sampled_from(LEVELS))
def test_the_same_with_more_variables_than_registers(module, wanted):
    codes = [compile_function(function, wanted, Checker) for function in module.functions]
    assert run_module(module, codes, PACKET) == observe(module, PACKET)
