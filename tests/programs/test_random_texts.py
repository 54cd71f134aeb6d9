"""CPython, the simulator and the kernel agree on random programs about texts. PYBPF_FUZZ=1000 runs more of them."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

import pytest

from pybpf import load
from pybpf.simulator import Simulation
from tests.programs.random_texts import program

if TYPE_CHECKING:
    from pathlib import Path

FIRST = int(os.environ.get("PYBPF_FUZZ_FIRST", "0"))
COUNT = int(os.environ.get("PYBPF_FUZZ", "30"))


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_all_agree(seed: int, tmp_path: Path) -> None:
    name = f"random_text_{seed}"
    path = tmp_path / f"{name}.py"
    path.write_text(program(seed))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        with Simulation() as simulation:
            module.prog.function(None)
            in_python = simulation[module.res][0]
        with Simulation() as simulation:
            module.prog.simulate(packet=bytes(64))
            in_simulator = simulation[module.res][0]
        with load(module.prog) as obj:
            obj.programs["prog"].test(bytes(64))
            in_kernel = obj[module.res][0]
    finally:
        del sys.modules[name]
    assert in_simulator == in_kernel == in_python
