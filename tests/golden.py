"""Golden texts: files of cases, each an input and the text that some stage makes of it.

A file `tests/data/<area>/<name>.test` holds cases one after the other:

    Words before the first case are for the reader.

    [case fold-add]
    func f() section "xdp" {
    @entry:
      %0 = add 1, 2
      ret %0
    }
    [out]
    func f() section "xdp" {
    ...

A case may have several outputs, `[out ir]`, `[out asm]`, in any order. A line of input or output that itself starts
with `[case` or `[out` is written with a backslash in front. A test module registers a runner in one line:

    test_simplify = golden("passes/simplify.test", run)     # run(input) -> output
    test_stages = golden("stages/*.test", stage)            # stage(input, "ir") -> output, for `[out ir]`

which makes one test a case and output. `pytest --update` writes what is produced now into the files; read the diff.
A new case needs only its input and an empty `[out]`.
"""

from __future__ import annotations

import difflib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DATA", "Case", "golden", "read_cases", "write_output"]

DATA = Path(__file__).parent / "data"
HEAD = re.compile(r"\[(case|out)(?: ([^\]]+))?\]")


class Case:
    """One case of a file: its input, and its outputs by name ("" for a plain `[out]`)."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.input = ""
        self.outputs: dict[str, str] = {}


def read_cases(path: Path) -> list[Case]:
    """All cases of a file. A name that is used twice, or text in the wrong place, is a ValueError."""
    cases: list[Case] = []
    for word, name, body in _sections(path)[1]:
        if word == "case":
            if any(c.name == name for c in cases):
                raise ValueError(f"{path}: two cases are called {name}")
            cases.append(Case(path, name))
            cases[-1].input = _trimmed(body)
        elif not cases or name in cases[-1].outputs:
            raise ValueError(f"{path}: [out {name}] is misplaced")
        else:
            cases[-1].outputs[name] = _trimmed(body)
    return cases


def write_output(path: Path, case: str, output: str, text: str) -> None:
    """Replace one output in the file."""
    preface, sections = _sections(path)
    lines = list(preface)
    current = ""
    for word, name, body in sections:
        current = name if word == "case" else current
        lines.append(f"[{word} {name}]" if name else f"[{word}]")
        if word == "out" and (current, name) == (case, output):
            lines += [_escaped(line) for line in text.rstrip("\n").split("\n")] + [""]
        else:
            lines += [_escaped(line) for line in body]
    path.write_text("\n".join(lines).rstrip("\n") + "\n")


def golden(pattern: str, run: Callable[..., str]) -> Callable[..., None]:
    """A test over all cases of the files that match `pattern` (relative to tests/data)."""
    files = sorted(DATA.glob(pattern))
    if not files:
        raise ValueError(f"no golden file matches {pattern}")
    wants_name = len(inspect.signature(run).parameters) > 1
    params: list[Any] = [
        pytest.param(case, output, id="-".join(filter(None, (file.stem if len(files) > 1 else "", case.name, output))))
        for file in files
        for case in read_cases(file)
        for output in case.outputs
    ]

    @pytest.mark.parametrize(("case", "output"), params)
    def test(case: Case, output: str, update: bool) -> None:
        made = _trimmed((run(case.input, output) if wants_name else run(case.input)).split("\n"))
        if update:
            if made != case.outputs[output]:
                write_output(case.path, case.name, output, made)
            return
        if made != case.outputs[output]:
            diff = difflib.unified_diff(
                case.outputs[output].splitlines(), made.splitlines(), "expected", "produced", lineterm="", n=100
            )
            where = f"{case.path.relative_to(DATA.parent.parent)}, case {case.name}"
            pytest.fail("\n".join([f"{where} (pytest --update accepts what is produced)", *diff]), pytrace=False)

    return test


def _sections(path: Path) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """Lines before the first case, and (word, name, lines) of each section."""
    preface: list[str] = []
    sections: list[tuple[str, str, list[str]]] = []
    for line in path.read_text().split("\n"):
        if head := HEAD.fullmatch(line):
            sections.append((head[1], head[2] or "", []))
        elif sections:
            sections[-1][2].append(line[1:] if line.startswith(("\\[case", "\\[out")) else line)
        else:
            preface.append(line)
    return preface, sections


def _escaped(line: str) -> str:
    return "\\" + line if line.startswith(("[case", "[out")) else line


def _trimmed(lines: list[str]) -> str:
    """The text without blank lines at either end; it ends with a newline unless it is empty."""
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    return text + "\n" if text else ""
