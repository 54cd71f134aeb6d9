"""The run that docs/support.md is compared with: `python -m pytest -p tests.support.plugin`, as `make test` has it.

At the end of the whole suite the page that its proofs make must be the committed one; `--update` writes it. Columns of
kernels that the run saw nothing of (no VM could be had, or the machine has another kernel) are not compared, but a page
is only written when all were there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import proofs

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

FILE = Path(__file__).parents[2] / "docs" / "support.md"
SHOWN = 40
_place = pytest.StashKey[str]()
_said = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """A fresh directory for the proofs, which workers and VMs share. A worker finds it in its environment."""
    if not hasattr(config, "workerinput"):
        config.stash[_place] = os.environ[proofs.PLACE] = tempfile.mkdtemp(prefix="pybpf-proofs-")


def pytest_sessionfinish(session: pytest.Session) -> None:
    place = session.config.stash.get(_place, None)
    if place is None:
        return
    update = session.config.getoption("--update")
    said = session.config.stash[_said] = compare(proofs.read(Path(place)), bool(update))
    shutil.rmtree(place, ignore_errors=True)
    if said and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    said = config.stash.get(_said, [])
    if said:
        terminalreporter.section("docs/support.md is not what the tests show", red=True, bold=True)
        for line in said[:SHOWN]:
            terminalreporter.line(line)
        if len(said) > SHOWN:
            terminalreporter.line(f"... and {len(said) - SHOWN} more")
        terminalreporter.line("a test that was changed, or that skipped, is why; `make support` writes the page anew")


def compare(seen: set[tuple[str, str, str, str]], update: bool) -> list[str]:
    """What is wrong with the page, a line each; it is written anew if `update`."""
    from tests.support.page import Page, missing
    from tests.support.reasons import KERNELS

    kernels = {kernel for *_, kernel in seen}
    page = Page(seen)
    wrong = [f"{row}: proved, but no table has such a row" for row in page.unknown]
    for cell in page.unexplained:
        if cell.rpartition(" ")[2] in (*kernels, "*"):
            wrong.append(f"{cell}: no test shows it, and tests/support/reasons.py does not say why")
    if update:
        lacking = [kernel for kernel in KERNELS if kernel not in kernels]
        if lacking:
            return [f"not written: nothing was seen of Linux {', '.join(lacking)}"]
        FILE.write_text(page.text, encoding="utf-8")
        return wrong
    committed = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    return wrong + missing(committed, page.text, kernels)
