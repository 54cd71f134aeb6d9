"""The verifier takes what the passes make, as it took what they were given, and the kernel gets the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybpf.compiler.codegen import compile_function
from pybpf.compiler.passes import ORDER, optimise
from tests.codegen import kernel
from tests.codegen.load_module import run_module
from tests.ir.random_ir import modules, observe

if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Module

PACKET = bytes(range(1, 81))


@pytest.mark.kernel
@pytest.mark.skipif(bool(kernel.why_not()), reason=str(kernel.why_not()))
@given(module=modules(40), skip=st.sets(st.sampled_from(sorted(set(ORDER))), max_size=2))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_optimised_modules_verify_and_agree(module: Module, skip: set[str]) -> None:
    expected = observe(module, PACKET)
    optimise(module, skip)
    codes = [compile_function(function) for function in module.functions]
    assert run_module(module, codes, PACKET) == expected
