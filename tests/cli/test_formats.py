"""What `--format json` and `--format sarif` print, and `pybpf check` of several files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf.cli import main
from pybpf.compiler.diagnostics.base import Diagnostic, Edit, Help, Label, Note
from pybpf.compiler.diagnostics.records import records
from pybpf.compiler.diagnostics.sarif import sarif
from pybpf.compiler.schema.span import Source, Span
from tests.errors.test_errors import CASES, said_about

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = """\
from pybpf import TracepointContext, pid, printk, tracepoint


@tracepoint("syscalls:sys_enter_openat")
def hello(ctx: TracepointContext) -> None:
    printk(f"{pid()}")
"""
BAD = GOOD.replace("pid()}", "pdi()}")

# The objects of SARIF 2.1.0 that we write: property -> (must it be there, what it is). A tuple is an array of such
# objects, a set the values of an enumeration. Nothing else may stand in them (OASIS, sarif-v2.1.0, chapter 3).
TEXT = {"text": (True, str), "markdown": (False, str)}
REGION = {"startLine": (True, 1), "startColumn": (True, 1), "endLine": (True, 1), "endColumn": (True, 1)}
ARTIFACT = {"uri": (True, str)}
PHYSICAL = {"artifactLocation": (True, ARTIFACT), "region": (True, REGION)}
LOCATION = {"id": (False, 0), "message": (False, TEXT), "physicalLocation": (True, PHYSICAL)}
LEVEL = {"none", "note", "warning", "error"}
RULE = {
    "id": (True, str),
    "name": (True, str),
    "shortDescription": (True, TEXT),
    "help": (True, TEXT),
    "defaultConfiguration": (True, {"level": (True, LEVEL)}),
}
REPLACEMENT = {"deletedRegion": (True, REGION), "insertedContent": (True, TEXT)}
CHANGE = {"artifactLocation": (True, ARTIFACT), "replacements": (True, (REPLACEMENT,))}
RESULT = {
    "ruleId": (True, str),
    "ruleIndex": (True, 0),
    "level": (True, LEVEL),
    "message": (True, TEXT),
    "locations": (True, (LOCATION,)),
    "relatedLocations": (False, (LOCATION,)),
    "fixes": (False, ({"description": (True, TEXT), "artifactChanges": (True, (CHANGE,))},)),
}
DRIVER = {"name": (True, str), "semanticVersion": (True, str), "rules": (True, (RULE,))}
RUN = {
    "tool": (True, {"driver": (True, DRIVER)}),
    "columnKind": (True, {"unicodeCodePoints", "utf16CodeUnits"}),
    "results": (True, (RESULT,)),
}
LOG = {"$schema": (True, str), "version": (True, {"2.1.0"}), "runs": (True, (RUN,))}


def fits(value: Any, kind: Any, where: str = "log") -> None:
    """Assert that a value is what the tables above say; a number is the least that a number may be."""
    if isinstance(kind, tuple):
        assert isinstance(value, list), where
        for index, item in enumerate(value):
            fits(item, kind[0], f"{where}[{index}]")
    elif isinstance(kind, dict):
        assert isinstance(value, dict) and not value.keys() - kind.keys(), where
        for key, (needed, inner) in kind.items():
            assert key in value or not needed, f"{where}.{key} is missing"
            if key in value:
                fits(value[key], inner, f"{where}.{key}")
    elif isinstance(kind, set):
        assert value in kind, where
    elif isinstance(kind, int):
        assert type(value) is int and value >= kind, where
    else:
        assert isinstance(value, kind) and value, where


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    yield tmp_path


def edited(lines: list[str], line: int, column: int, end_column: int, text: str) -> str:
    row = lines[line - 1]
    return row[: column - 1] + text + row[end_column - 1 :]


@pytest.mark.parametrize("theme", sorted({path.parent.name for path in CASES}))
def test_all_mistakes_as_sarif(theme: str) -> None:
    found = [each for path in CASES if path.parent.name == theme for each in said_about(path)]
    log = json.loads(json.dumps(sarif(found, "1.0", str(Path(__file__).parents[1]))))
    fits(log, LOG)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for each, result in zip(found, run["results"]):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == each.code
        (place,) = result["locations"]
        region = place["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) <= (region["endLine"], region["endColumn"])
        assert not Path(place["physicalLocation"]["artifactLocation"]["uri"]).is_absolute()


def test_a_fix_is_the_change_that_mends_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "sarif", "bad.py"]) == 1
    log = json.loads(capsys.readouterr().out)
    fits(log, LOG)
    (result,) = log["runs"][0]["results"]
    (change,) = result["fixes"][0]["artifactChanges"]
    (replacement,) = change["replacements"]
    region = replacement["deletedRegion"]
    assert change["artifactLocation"]["uri"] == "bad.py" and region["startLine"] == region["endLine"] == 6
    lines = BAD.split("\n")
    text = replacement["insertedContent"]["text"]
    assert edited(lines, 6, region["startColumn"], region["endColumn"], text) == GOOD.split("\n")[5]

    assert main(["check", "--format", "json", "bad.py"]) == 1
    (record,) = json.loads(capsys.readouterr().out)
    assert (record["file"], record["path"], record["code"]) == ("bad.py", "bad.py", "E0301")
    edit = record["help"][0]["edit"]
    assert edited(lines, edit["line"], edit["column"], edit["end_column"], edit["text"]) == GOOD.split("\n")[5]


def test_regions_count_characters() -> None:
    source = Source("a b.py", "/src/deep/a b.py", ["x = 'äöü\U0001f40d' + y"])

    class Odd(Diagnostic):
        """Only for this test."""

        code = "E9998"
        title = "odd"

        def more(self) -> Iterator[Label | Note | Help]:
            yield Label(Span(source, 1, 0, 1, 1), "see")
            yield Note("because")
            yield Help("write:", ("z",), Edit(Span(source, 1, 13, 1, 14), "z"))

    odd = Odd(Span(source, 1, 13, 1, 14))
    log = sarif([odd], "1.0", "/src")
    fits(log, LOG)
    (result,) = log["runs"][0]["results"]
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"] == {"uri": "deep/a%20b.py"}
    assert where["region"] == {"startLine": 1, "startColumn": 14, "endLine": 1, "endColumn": 15}
    assert result["message"] == {"text": "odd\nnote: because\nhelp: write:\n    z"}
    elsewhere = sarif([odd], "1.0", "/other")["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert elsewhere["artifactLocation"] == {"uri": "file:///src/deep/a%20b.py"}
    assert records([odd], "/src")[0]["path"] == "deep/a b.py"
    assert records([odd], "/other")[0]["path"] == "/src/deep/a b.py"


def test_nothing_wrong_is_a_log_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "sarif", "good.py"]) == 0
    log = json.loads(capsys.readouterr().out)
    fits(log, LOG)
    assert log["runs"][0]["results"] == []
    assert main(["build", "--format", "json", "good.py"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_several_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "helpers.py").write_text("LIMIT = 3\n")
    (here / "sub").mkdir()
    (here / "sub" / "helpers.py").write_text("LIMIT = 4\nNAME = 'x'\n")
    (here / "one.py").write_text(f"from helpers import LIMIT\n{GOOD}")
    (here / "sub" / "two.py").write_text(f"from helpers import LIMIT, NAME\n{GOOD}")
    assert main(["check", "one.py", "sub/two.py", "good.py"]) == 0  # each finds its own neighbour
    assert main(["check", "bad.py", "one.py", "bad.py", "--format", "json"]) == 1
    assert [record["path"] for record in json.loads(capsys.readouterr().out)] == ["bad.py", "bad.py"]
    assert main(["check", "helpers.py", "missing.py", "bad.py"]) == 1
    said = capsys.readouterr().err
    assert "no programs in helpers.py" in said and "no such file: missing.py" in said and "--> bad.py:6" in said
    (here / "sub" / "bad.py").write_text(BAD)
    assert main(["check", "sub/bad.py"]) == 1
    assert "--> sub/bad.py:6:" in capsys.readouterr().err
    assert main(["check"]) == 2


def test_a_program_that_is_no_global(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inside = (
        GOOD.replace("\n\n\n@", "\n\n\nclass Probes:\n    @")
        .replace("\ndef", "\n    def")
        .replace("\n    printk", "\n        printk")
    )
    (here / "inside.py").write_text(inside)
    assert main(["check", "inside.py"]) == 1
    assert "no programs in inside.py: `hello` is defined in the class Probes" in capsys.readouterr().err
    (here / "both.py").write_text(inside + GOOD.split("\n\n\n")[1].replace("hello", "other").join(["\n\n", ""]))
    assert main(["check", "both.py"]) == 0
    assert "warning: `hello` is defined in the class Probes" in capsys.readouterr().err
    (here / "listed.py").write_text(GOOD + "\nprograms = [hello]\ndel hello\n")
    assert main(["check", "listed.py"]) == 0
