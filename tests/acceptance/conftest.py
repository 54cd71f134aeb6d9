"""The examples, each built once by the command line, as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The object file of each example, by the example's name."""
    folder = tmp_path_factory.mktemp("built")
    made = {}
    for source in sorted((ROOT / "examples").glob("*.py")):
        made[source.stem] = folder / f"{source.stem}.bpf.o"
        done = subprocess.run(
            [sys.executable, "-m", "pybpf.cli", "build", str(source), "-o", str(made[source.stem])],
            capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return made
