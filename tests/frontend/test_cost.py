"""Which loops the verifier is left to follow, and which are bounded by the kernel."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from pybpf.compiler.frontend import longloops, tree
from tests.frontend.checking import body, typed

BRANCHY = """
    n: u64 = 0
    for i in range({rounds}):
        if a & n:
            n += 1
        if b > n:
            n += 2
        if a > b + n:
            n += 3
        if a != n:
            n += 4
    total = n
"""


def bounds(text: str, kernel: tuple[int, int]) -> list[str]:
    """How the loops of a function body are bounded."""
    found: Any = typed(body("global total\n" + textwrap.dedent(text)), kernel).programs[0].function
    return [loop.bound for loop in longloops.all_of(found, (tree.ForRange, tree.While))]


@pytest.mark.parametrize(("kernel", "bound"), [((6, 12), "may_goto"), ((6, 1), "callback"), ((5, 15), "")])
def test_loops_of_many_branches(kernel: tuple[int, int], bound: str) -> None:
    assert bounds(BRANCHY.format(rounds=1000), kernel) == [bound]
    assert bounds(BRANCHY.format(rounds=100), kernel) == [""]


STRAIGHT = """
    n: u64 = 0
    for i in range(4000):
        n = n * 3 + i
    total = n
"""


@pytest.mark.parametrize("kernel", [(6, 12), (6, 1), (5, 15)])
def test_long_loops_without_branches(kernel: tuple[int, int]) -> None:
    assert bounds(STRAIGHT, kernel) == [""]


CARRIED = """
    rec = recs.get(1)
    for i in range(1000):
        if rec is not None and rec.n > 3:
            total += 1
        if a & 4:
            total += 2
        if b & 4:
            rec = recs.get(u32(i))
"""


def test_what_would_be_refused_as_a_callback_is_followed() -> None:
    """A reference that is carried around: not into callbacks before Linux 6.7."""
    assert bounds(CARRIED, (6, 12)) == ["may_goto"]
    assert bounds(CARRIED, (6, 1)) == [""]
