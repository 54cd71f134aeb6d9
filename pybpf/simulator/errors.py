"""What a simulation can't do."""

from __future__ import annotations

__all__ = ["SimulationError"]


class SimulationError(Exception):
    """The simulation can't go on: a helper it does not know, input that is missing, memory that is not there.

    `help` is a way out.
    """

    def __init__(self, what: str, help: str = "") -> None:
        super().__init__(f"{what}\n{help}" if help else what)
        self.help = help
