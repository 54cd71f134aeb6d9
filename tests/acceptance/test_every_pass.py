"""No optimisation makes the difference between what the verifier can prove and what it can't.

Every program of the tests, the examples and the benchmarks is loaded with each pass left out by turns, and without any,
at every ISA level by turns: what loads as usual must load so too, and the other way round. Here each program meets one
such configuration; with PYBPF_EVERY_PASS=1 (`make fuzz`) it meets all.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import CompileError, DeclarationError, Target, VerifierError, build, load
from pybpf.compiler.optimisations import OPTIMISATIONS
from pybpf.program import Program
from pybpf.runtime.errors import PybpfError
from tests.codegen import kernel
from tests.differential.run import BEST, RUNNING
from tests.programs.test_programs import cases

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MODULES = (
    "examples", "benchmarks/programs", "tests/tools/programs", "tests/hooks", "tests/maps", "tests/helpers",
    "tests/stdlib", "tests/runtime", "tests/simulator",
)  # fmt: skip
CASES = ("answers.txt", "python.txt", "functions.txt", "loops.txt", "sync.txt")
TOO_LONG = "too many paths to walk"
EVERY = bool(os.environ.get("PYBPF_EVERY_PASS"))

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(bool(kernel.why_not()), reason=str(kernel.why_not()))]


def _imported(path: Path, name: str) -> Any:
    """The module of a file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:  # also a module of tests that skips itself
        del sys.modules[name]
        return None
    return module


@functools.cache
def programs_of_modules() -> dict[str, Program[..., Any]]:
    """The programs that stand in modules, by where they stand."""
    found: dict[str, Program[..., Any]] = {}
    for folder in MODULES:
        for path in sorted((ROOT / folder).glob("*.py")):
            module = _imported(path, f"every_pass_{folder.replace('/', '_')}_{path.stem}")
            for name, value in sorted(vars(module).items()) if module else ():
                if isinstance(value, Program) and value.function.__module__ == module.__name__:
                    found[f"{folder}/{path.name}: {name}"] = value
    return found


def programs_of_cases(tmp_path: Path, share: slice) -> Iterator[tuple[str, Program[..., Any]]]:
    """The programs of tests/programs, of which each is a module."""
    rows = [row.values[0] for file in CASES for row in cases(file)]
    for case in rows[share]:
        path = tmp_path / f"{case.name}.py"
        path.write_text(case.source())
        name = f"every_pass_case_{case.name}"
        module = _imported(path, name)
        assert module is not None, case.name
        yield f"tests/programs: {case.name}", module.prog
        del sys.modules[name]


def _outcome(program: Program[..., Any], level: int, skip: tuple[str, ...]) -> str:
    """ "" where it loads; "refused": the compiler takes it for no such target; else the first line of what is wrong."""
    try:
        with load(build(program, target=Target(cpu=level, kernel=RUNNING), skip=skip)):
            return ""
    except (CompileError, DeclarationError):
        return "refused"
    except VerifierError as error:
        return f"verifier: {str(error).splitlines()[0]}"
    except PybpfError as error:  # the kernel, or this machine, has no such thing
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


@pytest.mark.slow
@pytest.mark.parametrize("without", ["all", *OPTIMISATIONS])
def test_what_loads_loads_without_a_pass(without: str, tmp_path: Path) -> None:
    skip = OPTIMISATIONS if without == "all" else (without,)
    turn = ["all", *OPTIMISATIONS].index(without)
    share = slice(None) if EVERY else slice(turn, None, len(OPTIMISATIONS) + 1)
    named = list(programs_of_modules().items())[share]
    wrong, loaded = [], 0
    for number, (name, program) in enumerate([*named, *programs_of_cases(tmp_path, share)]):
        level = 1 + number % BEST
        outcome, usual = _outcome(program, level, skip), None
        if without == "all" and TOO_LONG in outcome:
            continue  # the verifier has nothing against it, but no time: that is what some passes are for
        if outcome:
            usual = _outcome(program, level, ())
        elif EVERY and without == "all":
            usual = _outcome(program, BEST, ())
        if usual is not None and usual != outcome:
            wrong.append(f"{name}, v{level}: {outcome or 'loads'}; as usual: {usual or 'loads'}")
        loaded += not outcome
    assert not wrong, "\n".join(wrong)
    assert loaded > 20


@pytest.mark.parametrize("level", range(1, BEST + 1))
def test_examples_and_benchmarks_at_every_level(level: int) -> None:
    """All of them load; only what needs a newer instruction is refused, and says so."""
    found = {
        name: each for name, each in programs_of_modules().items() if name.startswith(("examples/", "benchmarks/"))
    }
    wrong = {name: _outcome(program, level, ()) for name, program in found.items()}
    if level < 3:
        for name in [name for name, outcome in wrong.items() if outcome == "refused"]:
            with pytest.raises(CompileError, match=r"needs instruction set v3"):
                build(found[name], target=Target(cpu=level))
            del wrong[name]
    assert not {name: outcome for name, outcome in wrong.items() if outcome}
    assert len(wrong) > 12
