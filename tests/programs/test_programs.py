"""Small programs as a table: what they answer in the kernel and in the simulator, and which must be refused.

A case is the body of an XDP program over prelude.txt (`whole`: the program itself). Those of answers.txt leave a number
in `res[0]`, which was worked out by hand from what Python says; those of python.txt do so in CPython too, with maps in
memory. Those of refused.txt end in a diagnostic that shows its place and a way out; those of either.txt do so too, or
the verifier accepts what is made of them. None is a traceback.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pybpf import CompileError, DeclarationError, Target, build, load
from pybpf.simulator import Simulation

HERE = Path(__file__).parent
_HEAD = re.compile(r"^\[case (\w+)(?: = (-?\d+))?( whole)?\]$")


class Case:
    """One row: `answer` is None where there is none to check."""

    def __init__(self, name: str, answer: int | None, whole: bool) -> None:
        self.name = name
        self.answer = answer
        self.whole = whole
        self.lines: list[str] = []

    def source(self) -> str:
        body = "\n".join(self.lines) + "\n"
        if not self.whole:
            body = "@xdp\ndef prog(pkt: XdpContext) -> XDP:\n" + textwrap.indent(body, "    ")
        return (HERE / "prelude.txt").read_text() + "\n" + body


def cases(file: str) -> list[Any]:
    found: list[Case] = []
    for line in (HERE / file).read_text().splitlines():
        head = _HEAD.match(line)
        if head:
            found.append(Case(head[1], int(head[2]) if head[2] else None, bool(head[3])))
        elif found:
            found[-1].lines.append(line)
    return [pytest.param(case, id=case.name) for case in found]


@pytest.fixture
def imported(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The module of a case."""
    case: Case = request.param
    path = tmp_path / f"{case.name}.py"
    path.write_text(case.source())
    name = f"case_{case.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    module.case = case  # type: ignore[attr-defined]

    def execute() -> Any:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        return module

    yield execute
    del sys.modules[name]


@pytest.mark.kernel
@pytest.mark.parametrize("imported", cases("answers.txt"), indirect=True)
def test_answers(imported: Any) -> None:
    module = imported()
    with load(module.prog) as obj:
        result = obj.programs["prog"].test(bytes(64))
        in_kernel = obj[module.res][0]
    with Simulation() as simulation:
        simulated = module.prog.simulate(packet=bytes(64))
        in_simulator = simulation[module.res][0]
    assert in_kernel == module.case.answer
    assert in_simulator == module.case.answer
    assert simulated.retval == result.retval


@pytest.mark.kernel
@pytest.mark.parametrize("imported", cases("python.txt") + cases("functions.txt"), indirect=True)
def test_python(imported: Any) -> None:
    test_answers(imported)
    module = sys.modules[f"case_{imported().case.name}"]
    with Simulation() as simulation:
        module.prog.function(None)
        assert simulation[module.res][0] == module.case.answer


@pytest.mark.kernel
@pytest.mark.parametrize("imported", [*cases("loops.txt"), *cases("sync.txt")], indirect=True)
@pytest.mark.parametrize("kernel", [(6, 1), (6, 9)], ids=["callback", "may_goto"])
def test_long_loops(imported: Any, kernel: tuple[int, int]) -> None:
    """Both ways in which kernels bound a loop."""
    module = imported()
    with load(build(module.prog, target=Target(kernel=kernel))) as obj:
        result = obj.programs["prog"].test(bytes(64))
        in_kernel = obj[module.res][0]
    with Simulation() as simulation:
        simulated = module.prog.simulate(packet=bytes(64))
        in_simulator = simulation[module.res][0]
    assert in_kernel == module.case.answer
    assert in_simulator == module.case.answer
    assert simulated.retval == result.retval


@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # Python warns of some of them too
@pytest.mark.parametrize("imported", cases("refused.txt"), indirect=True)
def test_refused(imported: Any) -> None:
    with pytest.raises((CompileError, DeclarationError)) as caught:
        build(imported().prog)
    if isinstance(caught.value, CompileError):
        _is_helpful(caught.value)


@pytest.mark.kernel
@pytest.mark.parametrize("imported", cases("either.txt"), indirect=True)
def test_either(imported: Any) -> None:
    try:
        with load(imported().prog):
            pass
    except CompileError as error:
        _is_helpful(error)


def _is_helpful(error: CompileError) -> None:
    for diagnostic in error.diagnostics:
        assert re.fullmatch(r"[EW]\d{4}", diagnostic.code)
    text = str(error)
    assert text.count("error[") == len([d for d in error.diagnostics if d.severity == "error"]) > 0
    assert "^" in text and "--> " in text and "help:" in text
