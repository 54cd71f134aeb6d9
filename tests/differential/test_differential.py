"""Random programs mean the same to CPython, to the simulator and to the kernel, and the verifier takes them all.

`PYBPF_FUZZ=100000` tries so many programs; `python -m tests.differential.run` does so without pytest.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybpf.compiler.diagnostics.base import CompileError
from tests.differential import plain
from tests.differential.generate import module, program
from tests.differential.nodes import smaller
from tests.differential.run import (
    ALL,
    Count,
    Failure,
    TooComplex,
    everything,
    examine,
    of_seed,
    one_cpu,
    run,
)

if TYPE_CHECKING:
    from random import Random

    from tests.differential.nodes import Program

COUNT = int(os.environ.get("PYBPF_FUZZ", "1800"))
PART = 120  # seeds of one test
FRESH = 240  # programs from seeds that no run before had
PORTABLE = 60  # programs that are only compiled and simulated
REFUSED = 0.05  # at most: of intervals the generator knows nothing
TOO_COMPLEX = 0.03

choices: Any = st.randoms(use_true_random=False)


def fine(seeds: range, kernel: bool) -> None:
    with one_cpu():
        count = run(seeds, kernel)
    assert not count.failed, f"python -m tests.differential.run --first {seeds.start}\n" + "\n".join(count.failed)
    assert sum(count.refused.values()) <= REFUSED * len(seeds) + 2, count
    assert len(count.too_complex) <= TOO_COMPLEX * len(seeds) + 1, count


def parts() -> list[range]:
    return [range(first, min(first + PART, COUNT)) for first in range(0, COUNT, PART)]


@pytest.mark.kernel
@pytest.mark.parametrize("seeds", parts(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_all_agree(seeds: range) -> None:
    fine(seeds, kernel=True)


@pytest.mark.kernel
def test_all_agree_on_new_programs() -> None:
    first = int(time.time()) * 1000
    fine(range(first, first + FRESH), kernel=True)


def test_python_and_simulator_agree() -> None:
    fine(range(1_000_000, 1_000_000 + PORTABLE), kernel=False)


@pytest.mark.kernel
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(choices=choices, size=st.integers(1, 5), config=st.sampled_from(ALL))
def test_hypothesis_finds_no_difference(choices: Random, size: int, config: Any) -> None:
    """As above; hypothesis chooses, and makes small what fails."""
    source = program(choices, size)
    with one_cpu():
        try:
            examine(source, 0, [config])
        except (CompileError, TooComplex):
            pass
        except Failure as failure:
            pytest.fail(f"{failure}\n{source.text()}", pytrace=False)


@pytest.mark.kernel
def test_every_level_and_every_pass_left_out() -> None:
    with one_cpu():
        count = run(range(2_000_000, 2_000_012), configurations=everything)
    assert not count.failed, count.failed


def test_equal_choices_give_equal_programs() -> None:
    assert of_seed(7).text() == of_seed(7).text()
    assert of_seed(7).text() != of_seed(8).text()
    assert module([of_seed(7, "f0"), of_seed(8, "f1")]).names() == ["f0", "f1"]


# --- these tests can fail


def wrong(seeds: range) -> Count:
    return run(seeds, kernel=False, shrink_seconds=5)


def test_a_wrong_meaning_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain.Number, "__floordiv__", lambda self, other: int(int(self) / (int(other) or 1)))
    count = wrong(range(24))
    assert count.failed
    assert all("simulator differs from CPython" in report for report in count.failed)
    assert min([report.count("\n") for report in count.failed]) < 25


@pytest.mark.kernel
def test_a_wrong_program_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler takes a number for another."""
    from pybpf.compiler.ir import ops

    monkeypatch.setattr(ops.Const, "__init__", _shifted(ops.Const.__init__))
    with one_cpu():
        count = run(range(12), shrink_seconds=0.1)
    assert count.failed


def _shifted(initialise: Any) -> Any:
    def changed(self: Any, value: int, *rest: Any, **named: Any) -> None:
        initialise(self, value + 1 if value in (5, 100, 127, 1000) else value, *rest, **named)

    return changed


def test_shrinking_keeps_what_fails() -> None:
    """Against a rule that stands for a failure: `table` is deleted from. What is left is little more than that."""
    source = next(p for p in map(of_seed, range(1000)) if "del table[" in p.body())
    before = len(source.body())
    _shrink(source, "del table[")
    lines = [line for line in source.body().splitlines() if line]
    assert len(source.body()) < before
    assert len(lines) <= 9
    assert sum("del table[" in line for line in lines) == 1


def _shrink(source: Program, needed: str) -> None:
    again = True
    while again:
        again = False
        for undo in smaller(source):
            if needed in source.body():
                again = True
                break
            undo()
