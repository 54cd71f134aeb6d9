"""Allocation around values that live in memory, whichever they are: checked, then run in the kernel."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybpf.compiler.codegen import compile_function, homes
from pybpf.compiler.codegen.checker import Checker
from tests.codegen import kernel
from tests.codegen.load_module import run_module
from tests.codegen.pressure import crowded_modules
from tests.ir.random_ir import modules, observe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pybpf.compiler.codegen.machine import MFunction
    from pybpf.compiler.ir.function import Module

PACKET = bytes(range(3, 83))


class _Any(homes._Choice):
    """Gives homes to webs at random, and joins only some of those that could be."""

    rng = random.Random(0)

    def run(self) -> dict[int, homes.Home]:
        chosen = [web for web in self._webs() if self.rng.random() < 0.4]
        return {
            v: home for web in chosen for home in [homes.Home(frozenset(web.members), web.ranges)] for v in web.members
        }

    def _tested(self) -> set[int]:
        return {v for v in super()._tested() if self.rng.random() < 0.5}


def fewer(fn: MFunction) -> int:
    """The second allocation is always the cheaper one."""
    fewer.calls += 1  # type: ignore[attr-defined]
    return fewer.calls % 2  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(autouse=True, scope="module")
def any_homes() -> Iterator[None]:
    """Choices at random instead of good ones, and always taken."""
    fewer.calls = 1  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(homes, "_Choice", _Any)
        patch.setattr(homes, "cost", fewer)
        yield


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(crowded_modules(40), modules(40)), st.integers(0, 1 << 30))
def test_any_homes_are_right(module: Module, seed: int) -> None:
    _Any.rng = random.Random(seed)
    for function in module.functions:
        for level in (1, 3, 4):
            compile_function(function, level, Checker)


@pytest.mark.kernel
@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(crowded_modules(25), st.integers(0, 1 << 30))
def test_the_kernel_computes_what_the_ir_means(module: Module, seed: int) -> None:
    _Any.rng = random.Random(seed)
    codes: list[Any] = [compile_function(function, 3, Checker) for function in module.functions]
    assert run_module(module, codes, PACKET) == observe(module, PACKET)
