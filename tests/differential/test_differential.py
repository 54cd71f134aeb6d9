"""Random programs mean the same to plain Python, to the simulator and to the kernel, and the verifier takes them all.

`PYBPF_FUZZ=5000` tries so many programs, from seed `PYBPF_FUZZ_FIRST` on; `python -m tests.differential.run` does so
without pytest, and makes what fails small.
"""

from __future__ import annotations

import os

import pytest

from tests.differential.generate import program
from tests.differential.run import ALL, Failure, TooComplex, configs_of, examine, one_cpu, shrink

COUNT = int(os.environ.get("PYBPF_FUZZ", "200"))
FIRST = int(os.environ.get("PYBPF_FUZZ_FIRST", "0"))
BATCH = 25
PORTABLE = 40  # programs that are only compiled and simulated
REFUSED = 0.12  # at most: by intervals that the generator does not follow


def batches() -> list[range]:
    return [range(first, min(first + BATCH, FIRST + COUNT)) for first in range(FIRST, FIRST + COUNT, BATCH)]


def outcomes(seeds: range, kernel: bool) -> dict[str, int]:
    """How many programs were taken, refused, or too long for the verifier; fails with the first that went wrong."""
    counts = {"ok": 0, "refused": 0, "too complex": 0}
    for seed in seeds:
        source = program(seed, 3 + seed % 9)
        try:
            counts["refused" if examine(source, seed, configs_of(seed), kernel) else "ok"] += 1
        except TooComplex:
            counts["too complex"] += 1
        except Failure as failure:
            small = shrink(source, seed, failure, configs_of(seed), 20, kernel)
            pytest.fail(f"seed {seed}: {small}\n{source.text(False)}")
    return counts


@pytest.mark.kernel
@pytest.mark.parametrize("seeds", batches(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_python_simulator_and_kernel_agree(seeds: range) -> None:
    with one_cpu():
        counts = outcomes(seeds, kernel=True)
    assert counts["ok"] > len(seeds) / 2, counts


def test_python_and_simulator_agree() -> None:
    counts = outcomes(range(1_000_000, 1_000_000 + PORTABLE), kernel=False)
    assert counts["refused"] <= REFUSED * PORTABLE + 1, counts


@pytest.mark.kernel
def test_every_level_and_every_pass_left_out() -> None:
    with one_cpu():
        for seed in range(2_000_000, 2_000_004):
            examine(program(seed, 6), seed, ALL)


def test_equal_seeds_give_equal_programs() -> None:
    assert program(7, 9).text(False) == program(7, 9).text(False)
    assert program(7, 9).text(True) == program(7, 9).text(True)
    assert program(7, 9).text(False) != program(8, 9).text(False)


def test_shrinking_keeps_what_fails() -> None:
    """Against a rule that stands for a failure: `table` is deleted from. What is left is little more than that."""
    from tests.differential.nodes import smaller

    source = next(p for p in map(program, range(1000)) if "del table[" in p.text(False))
    before = len(source.text(False))
    again = True
    while again:
        again = False
        for undo in smaller(source):
            if "del table[" in source.text(False):
                again = True
                break
            undo()
    lines = source.text(False).split("return p.x\n")[1].strip().splitlines()
    assert len(source.text(False)) < before
    assert len(lines) <= 9
    assert sum("del table[" in line for line in lines) == 1
