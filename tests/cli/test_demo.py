"""`make demo`, with and without the privilege to load programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "tools" / "demo.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(DEMO.parents[1])}


@pytest.mark.kernel
def test_the_demo_traces_this_machine() -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    done = subprocess.run(
        [sys.executable, DEMO, "--seconds", "2"], capture_output=True, text=True, env=ENVIRONMENT, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert any(line.split()[-2:] == ["-2", "/no/such/file"] for line in done.stdout.split("\n") if line.strip())


def test_the_demo_without_privilege_says_why_and_shows_what_works() -> None:
    command = [sys.executable, str(DEMO), "--seconds", "1"]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("setpriv is not installed")
        command = [setpriv, "--bounding-set=-all", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout
    assert "this machine does not let us load BPF programs" in said
    assert "CAP_BPF" in said
    assert "paths[tid()] = ctx.filename" in said and "exit" in said
    assert "   4242 cat                 3 /etc/hostname\n" in said
