"""Stock pyright and mypy accept what is right, and find every planted mistake, without a plugin."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GOOD = [*sorted((HERE / "good").glob("*.py")), *sorted((ROOT / "examples").glob("*.py"))]
BAD = HERE / "bad.py"


def planted() -> list[int]:
    """The lines of bad.py that end in a numbered comment, in order of their numbers."""
    found = {}
    for number, line in enumerate(BAD.read_text().splitlines(), 1):
        if match := re.search(r"# (\d+) [a-z ]+$", line):
            found[int(match[1])] = number
    assert list(found) == list(range(1, len(found) + 1))
    return sorted(found.values())


def tool(name: str) -> list[str]:
    """The command that runs a checker of this Python's environment."""
    try:
        __import__(name)
    except ImportError:
        pytest.skip(f"{name} is not installed (pip install {name})")
    return [sys.executable, "-m", name]


@pytest.fixture(scope="module")
def pyright(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """pyright's strict findings, by file: (line, text)."""
    command = tool("pyright")
    config = tmp_path_factory.mktemp("pyright") / "pyrightconfig.json"
    relative = [os.path.relpath(path, config.parent) for path in [*GOOD, BAD]]
    config.write_text(
        json.dumps(
            {"include": relative, "extraPaths": [str(ROOT)], "typeCheckingMode": "strict", "pythonVersion": "3.10"}
        )
    )
    done = subprocess.run(
        [*command, "-p", str(config), "--pythonpath", sys.executable, "--outputjson"], capture_output=True, text=True
    )
    if not done.stdout.startswith("{"):
        pytest.skip(f"pyright does not run here: {done.stdout}{done.stderr}")
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(GOOD) + 1
    found: dict[str, list[tuple[int, str]]] = {}
    for item in report["generalDiagnostics"]:
        found.setdefault(item["file"], []).append((item["range"]["start"]["line"] + 1, item["message"]))
    return found


@pytest.fixture(scope="module")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """mypy's strict findings, by file: (line, text)."""
    command = tool("mypy")
    directory = tmp_path_factory.mktemp("mypy")
    (directory / "mypy.ini").write_text("[mypy]\nstrict = true\npython_version = 3.10\n")
    done = subprocess.run(
        [*command, "--config-file", str(directory / "mypy.ini"), "--cache-dir", str(directory / "cache"),
         "--scripts-are-modules", "--no-error-summary", "--hide-error-context", *map(str, [*GOOD, BAD])],
        capture_output=True, text=True, cwd=directory, env={**os.environ, "MYPYPATH": str(ROOT)},
    )  # fmt: skip
    assert not done.stderr, done.stderr
    found: dict[str, list[tuple[int, str]]] = {}
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(.*?):(\d+): error: (.*)", line)
        if match:
            found.setdefault(str((directory / match[1]).resolve()), []).append((int(match[2]), match[3]))
    return found


@pytest.mark.parametrize("checker", ["pyright", "mypy"])
@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_accepts(checker: str, path: Path, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(checker)
    assert found.get(str(path), []) == []


@pytest.mark.parametrize("checker", ["pyright", "mypy"])
def test_finds_each_mistake(checker: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(checker)
    assert sorted({line for line, _ in found.get(str(BAD), [])}) == planted()
