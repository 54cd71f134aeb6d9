"""Source text: where it is found, what it is called, and columns of characters outside ASCII."""

from __future__ import annotations

import linecache
import sys
import types
from typing import TYPE_CHECKING

import pytest

from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.frontend import check, parse
from pybpf.compiler.schema.specs import Target
from tests.frontend.checking import diagnostics, programs

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
from pybpf import raw_tp, printk, u64

@raw_tp("sys_enter")
def probe(a: u64, b: u64) -> None:
    printk("grüße", nothing)
"""


def run(text: str, filename: str) -> dict[str, object]:
    module: dict[str, object] = {"__name__": "checked"}
    exec(compile(text, filename, "exec", dont_inherit=True), module)
    return module


def test_columns_count_characters() -> None:
    (found,) = diagnostics('@raw_tp("sys_enter")\ndef probe(a: u64, b: u64) -> None:\n    x = "äöü€😀"; y = nothing\n')
    line = found.span.source.line(found.span.line)
    assert line[found.span.col : found.span.end_col] == "nothing"


def test_the_name_of_a_file_has_no_directory(tmp_path: Path) -> None:
    path = tmp_path / "probe.py"
    path.write_text(PROGRAM, encoding="utf-8")
    spec = run(PROGRAM, str(path))["probe"].__bpf__  # type: ignore[attr-defined]
    parsed = parse([spec])
    assert parsed.programs[0].module.source.name == "probe.py"
    assert parse([spec], {str(path): "here/probe.py"}).programs[0].module.source.name == "here/probe.py"


@pytest.mark.parametrize(("head", "encoding"), [("# -*- coding: latin-1 -*-", "latin-1"), ("\ufeff", "utf-8")])
def test_encodings(tmp_path: Path, head: str, encoding: str) -> None:
    path = tmp_path / "probe.py"
    raw = (head + PROGRAM).encode(encoding)
    path.write_bytes(raw)
    module: dict[str, object] = {"__name__": "checked"}
    exec(compile(raw, str(path), "exec", dont_inherit=True), module)
    parsed = parse([module["probe"].__bpf__])  # type: ignore[attr-defined]
    assert "grüße" in "\n".join(parsed.programs[0].module.source.lines)


def test_cells_of_ipython_are_called_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "/tmp/ipykernel_1/123456.py"
    monkeypatch.setitem(linecache.cache, name, (len(PROGRAM), None, PROGRAM.splitlines(keepends=True), name))
    shell = types.SimpleNamespace(compile=types.SimpleNamespace(_filename_map={name: 7}))
    fake = types.ModuleType("IPython.core.getipython")
    fake.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.core.getipython", fake)
    spec = run(PROGRAM, name)["probe"].__bpf__  # type: ignore[attr-defined]
    with pytest.raises(CompileError) as caught:
        check(parse([spec]), Target())
    assert caught.value.diagnostics[0].span.source.name == "In[7]"


def test_missing_source_is_a_diagnostic() -> None:
    spec = run(PROGRAM, "<nowhere>")["probe"].__bpf__  # type: ignore[attr-defined]
    with pytest.raises(CompileError) as caught:
        parse([spec])
    assert [d.code for d in caught.value.diagnostics] == ["E0130"]


def test_a_function_that_has_moved_is_a_diagnostic(tmp_path: Path) -> None:
    path = tmp_path / "probe.py"
    path.write_text(PROGRAM)
    spec = run(PROGRAM, str(path))["probe"].__bpf__  # type: ignore[attr-defined]
    path.write_text("\n\n\n" + PROGRAM)
    with pytest.raises(CompileError) as caught:
        parse([spec])
    assert [d.code for d in caught.value.diagnostics] == ["E0130"]


def test_each_text_is_parsed_once() -> None:
    one = '@raw_tp("sys_enter")\ndef {}(a: u64) -> None:\n    pass\n'
    parsed = parse(programs(one.format("f") + one.format("g")))
    assert parsed.programs[0].module is parsed.programs[1].module


def test_lambdas_are_found_by_their_line() -> None:
    text = "double = lambda x: x * 2\nboth = (lambda x: x, lambda x: x + 1)\n"
    probe = '@raw_tp("sys_enter")\ndef probe(a: u64) -> None:\n    y = {}(a)\n'
    assert diagnostics(text + probe.format("double")) == []
    assert [d.code for d in diagnostics(text + probe.format("both[0]"))] == ["E0131"]  # two on one line
