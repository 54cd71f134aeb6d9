"""Programs on packets, run alike in kernel and simulator: `with machine(kind, prog) as m: m.run(prog, data)`.

MACHINES names them: the kernel with code for the oldest target, the kernel with code for itself, the simulator. Where
the kernel can't be asked, its tests are skipped.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import Simulation, Target, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.runtime.object import LoadedObject

__all__ = ["MACHINES", "Machine", "machine"]

_NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root")
MACHINES = [
    pytest.param("oldest", marks=[pytest.mark.kernel, _NEEDS_ROOT]),
    pytest.param("kernel", marks=[pytest.mark.kernel, _NEEDS_ROOT]),
    pytest.param("simulator"),
]


class Machine:
    """`run` gives the program's answer and the packet as it left it; `m[map]` is the map."""

    def __init__(self, where: LoadedObject | Simulation) -> None:
        self.where = where

    def run(self, program: Any, packet: bytes, **values: Any) -> tuple[int, bytes]:
        if isinstance(self.where, Simulation):
            outcome = self.where.run(program, packet, **values)
            return outcome.retval, outcome.packet
        result = self.where.programs[program.name].test(packet)
        return result.retval, result.packet

    def __getitem__(self, what: Any) -> Any:
        return self.where[what]


@contextmanager
def machine(kind: str, *programs: Any) -> Iterator[Machine]:
    """One of MACHINES with programs loaded."""
    if kind == "simulator":
        yield Machine(Simulation())
        return
    with load(*programs, target=Target() if kind == "oldest" else None) as loaded:
        yield Machine(loaded)
