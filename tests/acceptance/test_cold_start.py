"""A cold `pybpf build` imports next to nothing: as a whole process, for each example, on its first run as well."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_startup import HEAVY

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))

# The console script that pip makes; by itself it imports only what it names.
SCRIPT = "from pybpf.cli import entry; entry()"

# Answers of XDP and cgroups are an IntEnum, which people compare, print and look up by name; it costs what `enum` does.
ENUM = {name: {"enum", "functools", "collections"} for name in ("cgroup_firewall", "xdp_count", "xdp_firewall")}


def imports(*words: str, root: Path) -> set[str]:
    """The modules that a process `pybpf WORDS` imports, as CPython's own timing of them lists."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", SCRIPT, *words],
        env={**environment, "PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    lines = done.stderr.split("\n")
    other = [line for line in lines if line and not line.startswith("import time:")]
    assert (done.returncode, done.stdout, other) == (0, "", [])
    return {line.rpartition("|")[2].strip() for line in lines} - {""}


@pytest.fixture(scope="module")
def nothing() -> set[str]:
    """What Python itself imports to start in this environment."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", ""], capture_output=True, text=True, timeout=60)
    return {line.rpartition("|")[2].strip() for line in done.stderr.split("\n")}


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_build_imports_nothing_heavy(example: str, nothing: set[str], tmp_path: Path) -> None:
    source = str(ROOT / "examples" / f"{example}.py")
    modules = imports("build", source, "-o", str(tmp_path / "x.o"), root=ROOT) - nothing
    assert not modules & HEAVY - ENUM.get(example, set())
    assert not [name for name in modules if name.startswith(("pybpf.runtime", "pybpf.simulator", "pybpf.notebook"))]


def test_nor_does_the_first_build_after_installing(nothing: set[str], tmp_path: Path) -> None:
    """Without compiled files and the image of the modules, all is imported the long way; and then it is no more."""
    fresh = shutil.ignore_patterns("__pycache__")
    for folder in ("pybpf", "compiler", "stdlib"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=fresh)
    source = str(ROOT / "examples" / "hello.py")
    for _ in range(2):
        modules = imports("build", source, "-o", str(tmp_path / "x.o"), root=tmp_path) - nothing
        assert not modules & HEAVY
        assert not [name for name in modules if re.match(r"pybpf\.(runtime|simulator|notebook)", name)]
