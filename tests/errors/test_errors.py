"""The exact text that a user sees for each mistake: pairs of `<theme>/<name>.py` and `<name>.err`.

A new case is a `.py` file; `pytest tests/errors --update` writes its `.err`, which is then to be read. A file may say
`# python >= 3.12` in its first line if older ones can't read it; it is compiled for its `TARGET`, if it has one. Names
that start with `_` are modules for others.
"""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pybpf.building import check
from pybpf.cli.module import import_file, programs_of
from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.diagnostics.catalogue import catalogue, explanation
from pybpf.compiler.diagnostics.render import render_all

if TYPE_CHECKING:
    from pybpf.compiler.diagnostics.base import Diagnostic

HERE = Path(__file__).parent
CASES = sorted(path for path in HERE.glob("*/*.py") if not path.name.startswith("_"))


def said_about(path: Path) -> list[Diagnostic]:
    """All diagnostics, warnings too, of a file's programs."""
    before, modules = list(sys.path), set(sys.modules)
    try:
        module = import_file(str(path))
        return list(check(*programs_of(module), target=getattr(module, "TARGET", None)))
    except CompileError as error:
        return error.diagnostics
    finally:
        sys.path[:] = before
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(HERE)):
                del sys.modules[name]


@pytest.mark.parametrize("path", CASES, ids=[f"{path.parent.name}-{path.stem}" for path in CASES])
def test_text(path: Path, update: bool) -> None:
    wanted = re.match(r"# python >= 3\.(\d+)", path.read_text())
    if wanted and sys.version_info < (3, int(wanted[1])):
        pytest.skip(f"needs Python 3.{wanted[1]}")
    found = said_about(path)
    assert found, f"{path.name} is accepted"
    text = render_all(found) + "\n"
    golden = path.with_suffix(".err")
    if update:
        golden.write_text(text)
        return
    expected = golden.read_text() if golden.exists() else ""
    if text != expected:
        old, new = expected.splitlines(), text.splitlines()
        diff = difflib.unified_diff(old, new, "expected", "produced", lineterm="", n=100)
        pytest.fail("\n".join([f"{path.relative_to(HERE)} (pytest --update accepts it)", *diff]), pytrace=False)


def test_no_golden_text_without_its_program() -> None:
    assert [path for path in sorted(HERE.glob("*/*.err")) if not path.with_suffix(".py").exists()] == []


@pytest.mark.parametrize(("code", "kind"), catalogue().items(), ids=list(catalogue()))
def test_every_diagnostic_has_a_pair_and_a_page(code: str, kind: type[Diagnostic]) -> None:
    assert re.fullmatch(r"[EW]\d{4}", code)
    assert (code[0] == "W") == (kind.severity == "warning")
    assert kind.__doc__, "the docstring is the page of `pybpf explain`"
    assert explanation(kind).split("\n\n")[0].endswith("."), "the page starts with a sentence that sums it up"
    shown = f"{kind.severity}[{code}]"
    assert any(shown in path.read_text() for path in HERE.glob("*/*.err")), f"no pair in tests/errors shows {code}"
