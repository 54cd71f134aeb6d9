"""The tests marked `guest`, on Linux 6.1 and 6.12."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.vm.guest import run
from tests.vm.machine import PACKAGES, missing

if TYPE_CHECKING:
    from pathlib import Path

KERNELS = [pytest.param(kernel, marks=pytest.mark.xdist_group(f"vm{kernel}")) for kernel in PACKAGES]
pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@pytest.mark.parametrize("kernel", KERNELS)
def test_guests(tmp_path: Path, kernel: str) -> None:
    if reason := missing():
        pytest.skip(reason)
    try:
        done = run(kernel, tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"Linux {kernel} for a VM can't be had: {error}")
    assert done.returncode == 0, done.output
    assert " passed" in done.output, done.output
    # The same rule as on this machine: what is skipped there, is so for the kernel's sake.
    odd = [line for line in done.output.splitlines() if line.startswith("SKIPPED") and ": this kernel " not in line]
    assert not odd, "\n".join(odd)
