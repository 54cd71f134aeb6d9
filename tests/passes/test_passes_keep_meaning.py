"""After each pass a random program is still well formed and still does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.ir.checker import problems
from pybpf.compiler.ir.printer import print_module
from pybpf.compiler.passes import ORDER, PASSES, optimise, pass_named
from tests.ir.random_ir import modules, observe

if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Function, Module

PACKETS = (bytes(range(1, 81)), b"\x80" * 20, b"")


def expect_same(module: Module, before: list[object], what: str) -> None:
    found = problems(module)
    assert not found, "\n".join([what, *found, print_module(module)])
    for packet, expected in zip(PACKETS, before, strict=True):
        assert observe(module, packet) == expected, f"{what}, packet {packet!r}\n{print_module(module)}"


@pytest.mark.parametrize("name", [name for name, _ in PASSES])
@given(module=modules())
@settings(max_examples=60, deadline=None)
def test_a_pass_alone(name: str, module: Module) -> None:
    before: list[object] = [observe(module, packet) for packet in PACKETS]
    run = pass_named(name)
    for function in module.functions:
        run(function)
    expect_same(module, before, name)


@given(module=modules(), skip=st.sets(st.sampled_from(sorted(set(ORDER)))))
@settings(max_examples=60, deadline=None)
def test_passes_in_order(module: Module, skip: set[str]) -> None:
    before: list[object] = [observe(module, packet) for packet in PACKETS]

    def check(name: str, function: Function) -> None:
        expect_same(module, before, f"after {name}, without {sorted(skip)}")

    optimise(module, skip, check)
