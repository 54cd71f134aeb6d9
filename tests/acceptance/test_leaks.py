"""Round after round of what a person runs leaves descriptors, mappings and memory where they were.

A round takes a fifth of a second, since the kernel waits for all its CPUs when a tracepoint is left: 50 rounds by
default, PYBPF_ROUNDS=10000 for the long run, which takes half an hour.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from pybpf import load
from tests.runtime.test_leaks import settled

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
ROUNDS = int(os.environ.get("PYBPF_ROUNDS", "50"))
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def opensnoop() -> Any:
    """The example, as a module."""
    spec = importlib.util.spec_from_file_location("opensnoop_for_leaks", ROOT / "examples" / "opensnoop.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_opensnoop(opensnoop: Any) -> None:
    """Compiled, loaded, attached, used and closed in each round."""
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")

    def round() -> None:
        with load(opensnoop.enter, opensnoop.leave, only_pid=os.getpid()).attach() as obj:
            os.close(os.open("/dev/null", os.O_RDONLY))
            (seen,) = obj[opensnoop.opens].read()
            assert (seen.pid, seen.path) == (os.getpid(), "/dev/null")

    settled(round, ROUNDS)
