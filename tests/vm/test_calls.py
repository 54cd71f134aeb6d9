"""Instructions as text, kernel functions, references and externs on Linux 6.1 and 6.12."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vm.machine import PACKAGES, Machine, missing

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.xdist_group("vm")]


@pytest.mark.parametrize("kernel", PACKAGES)
def test_calls(tmp_path: Path, kernel: str) -> None:
    if reason := missing():
        pytest.skip(reason)
    try:
        machine = Machine(kernel)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"Linux {kernel} for a VM can't be had: {error}")
    done = machine.run([sys.executable, "-m", "tests.vm.calls"], tmp_path, str(ROOT))
    assert done.returncode == 0, done.output
    said = json.loads(done.output.strip().splitlines()[-1])
    assert not said["wrong"], "\n".join(f"{name}: {text}" for name, text in said["wrong"].items())
    assert said["count"] > 20
