"""Programs gone wrong: the examples with lines missing or torn, and with parts of statements exchanged.

Each ends in a diagnostic with its place, or in a program that the kernel takes. None ends in a traceback.
"""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pybpf.building import build
from pybpf.cli import main
from pybpf.cli.messages import UserError
from pybpf.cli.module import import_file, programs_of
from pybpf.compiler.diagnostics.base import CompileError
from pybpf.compiler.diagnostics.render import render_all
from tests.loaders.libbpf import load_with_libbpf, need_root

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
KIT = ROOT / "tests" / "runtime" / "programs" / "kit.py"
MUTANTS = int(os.environ.get("PYBPF_MUTANTS", "80"))  # of each file

FRAGMENTS = (
    "0", "-1", "None", "nothing", "u64", "u8", "'s'", "1.5", "[]", "pid()", "lambda: 0", "f'{1}'", "{}", "1 << 40",
    "2**64", "ctx", "(1, 2)", "...", "True", "not 1", "(yield)", "[x for x in ()]", "(q := 3)", "*ctx",
)  # fmt: skip
WRAPPED = (
    "not ({})",
    "-({})",
    "~({})",
    "u32({})",
    "u8({})",
    "len({})",
    "abs({})",
    "str({})",
    "({}).x",
    "({})[0]",
    "({})()",
)
JOINED = (
    "({}) + ({})", "({}) - ({})", "({}) // ({})", "({}) % ({})", "({}) < ({})", "({}) and ({})", "({}) in ({},)",
    "({}) is ({})", "({}) ** ({})", "({}) & ({})", "({})[{}]", "({}).get({})", "({}, {})", "({}) if ({}) else 0",
)  # fmt: skip


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Forget the modules that a test imports, and where it found them."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("mutant"):
            del sys.modules[name]


def torn(text: str) -> Iterator[str]:
    """The text without each of its lines, with each indented once more, and ending before each."""
    lines = text.split("\n")
    for i in range(len(lines)):
        yield "\n".join(lines[:i] + lines[i + 1 :])
        yield "\n".join([*lines[:i], "    " + lines[i], *lines[i + 1 :]])
        yield "\n".join(lines[:i])


def mutants(text: str, seed: str) -> Iterator[str]:
    """Texts that are still Python, with one expression or statement of a program or struct exchanged for another."""
    chance = random.Random(seed)
    nodes: list[ast.expr | ast.stmt] = []
    for top in ast.parse(text).body:
        if isinstance(top, ast.ClassDef) or (isinstance(top, ast.FunctionDef) and top.decorator_list):
            inner = [node for node in ast.walk(top) if isinstance(node, (ast.expr, ast.stmt)) and node is not top]
            nodes += [node for node in inner if node.lineno == node.end_lineno and not isinstance(node, ast.Slice)]
    while True:
        node = chance.choice(nodes)
        kind = ast.stmt if isinstance(node, ast.stmt) else ast.expr
        own = ast.get_source_segment(text, node) or ""
        new = ast.get_source_segment(text, chance.choice([each for each in nodes if isinstance(each, kind)])) or ""
        if kind is ast.expr:
            which = chance.randrange(5)
            if which == 0:
                new = chance.choice(FRAGMENTS)
            elif which == 1:
                new = chance.choice(WRAPPED).format(own)
            elif which < 4:
                new = chance.choice(JOINED).format(own, new)
        lines = text.split("\n")
        line = lines[node.lineno - 1].encode()  # columns count bytes
        lines[node.lineno - 1] = (line[: node.col_offset] + new.encode() + line[node.end_col_offset :]).decode()
        made = "\n".join(lines)
        try:
            compile(made, "mutant", "exec")
        except (SyntaxError, ValueError):
            continue
        yield made


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_torn_file_is_explained(example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i, text in enumerate(torn(example.read_text())):
        path = tmp_path / f"mutant_{example.stem}_{i}.py"
        path.write_text(text)
        code = main(["check", "--format", "json", str(path)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        if not out:  # a file without programs
            assert code == 1 and err.startswith("error: no programs in "), text + err
            continue
        found = json.loads(out)
        assert code == (1 if any(record["severity"] == "error" for record in found) else 0), text
        for record in found:
            assert record["file"].endswith(".py") and record["code"] and record["message"], record
            assert 1 <= record["line"] <= len(text.split("\n")) and record["column"] >= 1, record


@pytest.mark.kernel
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("source", [*EXAMPLES, KIT], ids=lambda path: path.stem)
def test_what_is_not_refused_is_verified(source: Path, tmp_path: Path) -> None:
    need_root()
    refused = loaded = 0
    for i, text in zip(range(MUTANTS), mutants(source.read_text(), source.stem)):
        path = tmp_path / f"mutant_{source.stem}_{i}.py"
        path.write_text(text)
        try:
            made = build(*programs_of(import_file(str(path))))
        except UserError:  # the decorator is gone
            continue
        except CompileError as error:
            refused += 1
            assert all(diagnostic.span.line for diagnostic in error.diagnostics)
            assert render_all(error.diagnostics, False).startswith(("error[", "warning["))
            continue
        verdict = load_with_libbpf(made.elf, 1)
        assert verdict.clean, f"{path}: {verdict.warnings}\n" + "\n".join(log[-1500:] for log in verdict.logs.values())
        loaded += 1
    assert refused and loaded


def test_a_real_process_says_it_on_stderr_and_with_its_exit_code(tmp_path: Path) -> None:
    """No output to mistake for an object, no colours in a pipe, and nothing written."""
    (tmp_path / "wrong.py").write_text((ROOT / "examples" / "hello.py").read_text().replace("{pid()}", "{pid(1)}"))
    for words in (["build", "wrong.py"], ["build", "wrong.py", "-o", "-"], ["dis", "wrong.py"], ["run", "wrong.py"]):
        done = subprocess.run(
            [sys.executable, "-m", "pybpf.cli", *words],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, ""), words
        assert done.stderr.startswith("error[E") and "--> wrong.py:11:" in done.stderr and "\x1b" not in done.stderr
        assert "^" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.py"]
