"""The page of what was proved: what it says, how it is compared, and that the run fails where they differ."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pybpf.stdlib.helpers import names
from pybpf.stdlib.kernel.functions import kfuncs
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.sections import SECTIONS
from tests.support import plugin, reasons
from tests.support.page import MAP_TYPES, Page, cells, missing

ROOT = Path(__file__).parents[2]
PROVED = {
    ("hook", "xdp", "fired", "6.18"),
    ("hook", "xdp", "loaded", "6.1"),
    ("hook", "fentry+", "loaded", "6.12"),
    ("map", "HASH", "lookup", "6.18"),
    ("map", "HASH", "create", "6.18"),
    ("helper", "bpf_redirect_map", "compiled XDP", "6.18"),
    ("helper", "bpf_redirect_map", "accepted XDP", "6.18"),
    ("kfunc", "bpf_task_from_pid", "compiled XDP", "6.18"),
    ("kfunc", "bpf_task_from_pid", "compiled TRACING", "6.18"),
    ("kfunc", "bpf_task_from_pid", "accepted XDP", "6.18"),
}


def test_every_row_is_there() -> None:
    rows = {row for row, _ in cells(Page(set()).text)}
    assert rows >= {f"hook {row}" for row in SECTIONS} | {f"helper {row}" for row in names()}
    assert rows >= {f"map {row}" for row in MAP_TYPES.split()} | {f"kfunc {row}" for row in kfuncs()}
    assert set(KINDS) <= set(MAP_TYPES.split())


def test_cells() -> None:
    page = Page(PROVED)
    said = cells(page.text)
    assert said["hook xdp", "6.18"] == "loaded, attached, fired"  # what is fired was attached
    assert said["hook xdp", "6.1"] == "loaded [untested]"
    assert said["hook fentry+", "6.12"] == "loaded [untested]"
    assert said["hook fentry+", "6.18"] == "[locked]"
    assert said["map HASH", "6.18"] == "create, lookup"
    assert said["helper bpf_redirect_map", "compiled"] == said["helper bpf_redirect_map", "accepted by 6.18"] == "xdp"
    assert said["kfunc bpf_task_from_pid", "compiled"] == "tracing, xdp"
    assert said["kfunc bpf_task_from_pid", "accepted by 6.18"] == "xdp"
    assert said["kfunc bpf_task_from_pid", "accepted by 6.1"] == "[old]"
    assert said["kfunc bpf_obj_new", "compiled"] == "[future]"
    assert said["kfunc crash_kexec", "compiled"] == "[destructive]"
    assert "hook xdp on 6.1" in page.unexplained and "hook fentry+ on 6.18" not in page.unexplained
    assert "hook xdp on 6.18" not in page.unexplained
    assert Page({("hook", "no_such", "fired", "6.18")}).unknown == ["hook no_such"]


def test_pages_are_compared_by_cells_and_kernels() -> None:
    old, new = Page(PROVED).text, Page(PROVED - {("map", "HASH", "lookup", "6.18")}).text
    assert missing(old, old, reasons.KERNELS) == []
    (line,) = missing(old, new, reasons.KERNELS)
    assert line == "map HASH, 6.18: the page says 'create, lookup', the tests show 'create'"
    assert missing(old, new, ["6.1", "6.12"]) == []


def test_a_page_is_written_only_of_all_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "FILE", tmp_path / "support.md")
    assert plugin.compare({("hook", "xdp", "fired", "6.18")}, update=True) == [
        "not written: nothing was seen of Linux 6.1, 6.12"
    ]
    assert not plugin.FILE.exists()
    plugin.compare(PROVED, update=True)
    assert plugin.FILE.read_text() == Page(PROVED).text
    assert not [line for line in plugin.compare(PROVED, update=False) if "the page says" in line]


SUITE = """
import os
from pathlib import Path
from tests.proofs import PLACE, prove
def test_one():
    prove("map", "HASH", "create")
    assert list(Path(os.environ[PLACE]).iterdir())
"""


@pytest.mark.slow
def test_a_run_that_shows_less_fails(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.plugin", "-c", "/dev/null", "--rootdir", tmp_path]
    done = subprocess.run([*command, "-p", "no:cacheprovider", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert "1 passed" in done.stdout
    assert done.returncode == 1
    assert "docs/support.md is not what the tests show" in done.stdout


def test_proofs_are_made_where_they_are_collected() -> None:
    """VMs look for tests in three places only, and so does `make support`."""
    users = [
        file
        for file in (ROOT / "tests").rglob("*.py")
        if re.search("^from tests.proofs import prove", file.read_text(), re.M)
    ]
    allowed = ("hooks", "maps", "helpers")
    assert [file for file in users if file.relative_to(ROOT / "tests").parts[0] not in allowed] == []
