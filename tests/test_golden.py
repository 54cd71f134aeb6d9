"""The golden-text mechanism itself: reading, comparing, rewriting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.golden import read_cases, write_output

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
About these cases.

[case one]
input of one
\\[out]

[out]
old
text

[case two]
input of two
[out ir]
same
[out asm]
"""


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "x.test"
    path.write_text(FILE)
    one, two = read_cases(path)
    assert (one.name, one.input, one.outputs) == ("one", "input of one\n[out]\n", {"": "old\ntext\n"})
    assert (two.name, two.input, two.outputs) == ("two", "input of two\n", {"ir": "same\n", "asm": ""})


def test_rewriting_changes_one_output_only(tmp_path: Path) -> None:
    path = tmp_path / "x.test"
    path.write_text(FILE)
    write_output(path, "one", "", "new\n[case not]\n")
    assert path.read_text() == FILE.replace("old\ntext\n", "new\n\\[case not]\n")
    assert read_cases(path)[0].outputs == {"": "new\n[case not]\n"}
    write_output(path, "two", "asm", "r0 = 0\n")
    assert read_cases(path)[1].outputs == {"ir": "same\n", "asm": "r0 = 0\n"}


@pytest.mark.parametrize("text", ["[out]\nx\n", "[case a]\n[case a]\n", "[case a]\n[out]\n[out]\n"])
def test_misplaced_sections_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.test"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.test"):
        read_cases(path)
