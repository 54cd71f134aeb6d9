"""The rules that tests/conftest.py gives the suite: skips must be explained in CI, `--fuzz` multiplies examples."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONFTEST = Path(__file__).with_name("conftest.py")
SUITE = """
import pytest
from hypothesis import given, settings, strategies as st

def test_passes(): pass

def test_skips(): pytest.skip({reason!r})

rounds = []

@settings(max_examples=7, database=None)
@given(st.integers())
def test_property(n): rounds.append(n)

def teardown_module(): print("rounds:", len(rounds))
"""


def run(tmp_path: Path, reason: str, *options: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE.format(reason=reason))
    plain = ["-s", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plain, *options], cwd=tmp_path, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("reason", "code"),
    [("this kernel refuses fentry", 0), ("needs Python 3.12", 0), ("bpftool is not installed", 1), ("", 1)],
)
def test_unexplained_skips_fail_where_they_must_not_be(tmp_path: Path, reason: str, code: int) -> None:
    assert run(tmp_path, reason).returncode == 0
    strict = run(tmp_path, reason, "--no-unexplained-skips")
    assert strict.returncode == code, strict.stdout
    assert ("skipped without an explanation" in strict.stdout) == bool(code)


def test_fuzzing_runs_property_tests_only_and_longer(tmp_path: Path) -> None:
    assert "rounds: 7\n" in run(tmp_path, "x").stdout
    longer = run(tmp_path, "x", "--fuzz", "3").stdout
    assert "rounds: 21\n" in longer
    assert "1 passed, 2 deselected" in longer
