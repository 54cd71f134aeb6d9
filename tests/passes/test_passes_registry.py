"""The schedule: passes can be left out and watched, and are what the table says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pybpf.compiler import passes
from pybpf.compiler.ir.parser import parse_module
from pybpf.compiler.ir.printer import print_module
from pybpf.compiler.passes import ORDER, PASSES, ROUNDS, optimise, pass_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.ir.function import Function

TEXT = """module "m" license "GPL"
func f(%a: int) section ".text" {
  slot $x size 8 align 8
@entry:
  %p: ptr = slot $x
  store.64 [%p+0], 2
  %1 = load.u64 [%p+0]
  %2 = mul %a, %1
  %3 = mul %a, 2
  %4 = sub %2, %3
  ret %4
}
"""


def test_the_table_names_what_there_is() -> None:
    assert set(ORDER) == {name for name, _ in PASSES}
    for name, _ in PASSES:
        run = pass_named(name)
        assert run.__module__ == f"pybpf.compiler.passes.{name}"
    with pytest.raises(KeyError):
        pass_named("magic")


def test_all_passes() -> None:
    module = parse_module(TEXT)
    seen: list[str] = []
    optimise(module, observe=lambda name, function: seen.append(name))
    assert print_module(module).endswith("@entry:\n  ret 0\n}\n")
    assert set(seen) == set(ORDER)
    schedule = iter(ORDER * ROUNDS)
    assert all(name in schedule for name in seen), "in the order of the schedule"


def test_what_found_nothing_runs_again_only_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    answers = {"gvn": [True, False]}

    def stand_in(name: str) -> Callable[[Function], bool]:
        def run(function: Function) -> bool:
            ran.append(name)
            return answers[name].pop(0) if name in answers else False

        return run

    monkeypatch.setattr(passes, "pass_named", stand_in)
    monkeypatch.setattr(passes, "ORDER", ("loads", "gvn", "loads", "dce"))
    optimise(parse_module(TEXT))
    assert ran == ["loads", "gvn", "loads", "dce", "gvn"]


@pytest.mark.parametrize("name", sorted(passes.WAYS))
def test_what_is_not_run_on_one_block_would_find_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = parse_module(TEXT)
    (function,) = module.functions
    assert len(function.blocks) == 1
    before = print_module(module)
    assert not passes.pass_named(name)(function)
    assert print_module(module) == before
    asked: list[str] = []

    def nothing(name: str) -> Callable[[Function], bool]:
        asked.append(name)
        return lambda function: False

    monkeypatch.setattr(passes, "pass_named", nothing)
    optimise(module)
    assert asked and name not in asked


@pytest.mark.parametrize("name", sorted(set(ORDER)))
def test_a_pass_that_is_left_out_does_not_run(name: str) -> None:
    module = parse_module(TEXT)
    seen: set[str] = set()
    optimise(module, skip=(name,), observe=lambda name, function: seen.add(name))
    assert seen == set(ORDER) - {name}


def test_without_the_slots_and_loads_memory_stays() -> None:
    module = parse_module(TEXT)
    optimise(module, skip=("slots", "loads"))
    assert "load.u64" in print_module(module)


def test_equal_modules_optimise_alike() -> None:
    texts = []
    for _ in range(2):
        module = parse_module(TEXT)
        optimise(module)
        texts.append(print_module(module))
    assert texts[0] == texts[1]
