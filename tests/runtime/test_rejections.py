"""What a user reads when the kernel refuses a program that compiles: the Python line, the variable, the way out."""

from __future__ import annotations

import inspect

import pytest

from pybpf import Program, load
from pybpf.runtime import VerifierError
from tests.runtime.programs import refusals

LINES = inspect.getsource(refusals).splitlines()
PROGRAMS = [value for value in vars(refusals).values() if isinstance(value, Program)]


@pytest.mark.kernel
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_the_line_and_the_reason(program: Program[..., object]) -> None:
    where = "peek" if program.name == "in_a_function" else program.name
    start = next(at for at, line in enumerate(LINES) if line.startswith(f"def {where}("))
    at, line = next((at, line) for at, line in enumerate(LINES, 1) if at > start and "  # " in line)
    with pytest.raises(VerifierError) as caught:
        load(program)
    error, text = caught.value, str(caught.value)
    assert (error.file, error.line) == ("refusals.py", at), text
    title, arrow = text.splitlines()[:2]
    assert title.startswith(f"the kernel's verifier rejects `{program.name}`: ") and line.partition("  # ")[2] in title
    assert f"--> refusals.py:{at}:" in arrow and "note: the kernel says: " in text and "help: " in text


@pytest.mark.kernel
def test_what_registers_hold() -> None:
    with pytest.raises(VerifierError) as caught:
        load(refusals.reads_a_number)
    assert "holds `address`: scalar()" in str(caught.value)
    assert caught.value.log.count("processed") == 1
