"""What declarations do while a simulation is active (see pybpf.stdlib.simulation): inside `with sim:` in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.types import TextType
from pybpf.simulator.errors import SimulationError

if TYPE_CHECKING:
    from pybpf.simulator.simulation import Simulation

__all__ = ["Seam"]


class Seam:
    """The active runtime that stands for a Simulation: maps and helpers by their declarations, as plain values."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def map(self, declaration: Any, /) -> Any:
        return self.simulation[declaration]

    def variable(self, declaration: Any, /) -> Any:
        return self.simulation[declaration]

    def helper(self, spec: Any, args: tuple[Any, ...], /) -> Any:
        if spec.body:
            return self.iterate(spec, args)
        return self.simulation._helper(spec, spec.result, *args)

    def iterate(self, spec: Any, args: tuple[Any, ...], /) -> Any:
        """What a test supplies, as it is."""
        return self.simulation._call(spec.name, args)

    def fill(self, spec: Any, args: tuple[Any, ...], /) -> Any:
        """Where nothing says how much is wanted, as much as a path may have."""
        return self.simulation._fill(spec, spec.default or TextType(4096), *args).value()

    def printk(self, message: str, /) -> None:
        self.simulation.printed.append(message)

    def struct_at(self, struct: Any, address: int, /) -> Any:
        raise SimulationError(
            f"{struct.__name__}.at() reads a packet, and there is none outside a program", "simulate() the program"
        )
