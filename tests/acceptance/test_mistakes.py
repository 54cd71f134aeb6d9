"""The mistakes that people make with BPF, each in a program of `tests/errors/mistakes`: caught before the load.

The programs are numbered; each has `# wrong` on the line that the first diagnostic must name. Their exact texts are
tested with all others (`tests/errors/test_errors.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybpf.compiler.diagnostics.base import Help
from tests.errors.test_errors import said_about

PROGRAMS = sorted((Path(__file__).parents[1] / "errors" / "mistakes").glob("m*.py"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_told_on_its_line_with_a_way_out(path: Path) -> None:
    lines = path.read_text().splitlines()
    wrong = [number for number, line in enumerate(lines, 1) if line.endswith("  # wrong")]
    said = said_about(path)
    assert [wrong[0]] == [said[0].span.line for _ in wrong], path.name
    assert "^" in path.with_suffix(".err").read_text()
    for diagnostic in said:
        helps = [item for item in diagnostic.more() if isinstance(item, Help)]
        assert helps and all(item.text for item in helps), f"{diagnostic.code} tells no way out"


def test_all_numbers_are_there() -> None:
    numbers = {int(re.match(r"m(\d+)_", path.name)[1]) for path in PROGRAMS}  # type: ignore[index]
    assert numbers == set(range(1, 25))
