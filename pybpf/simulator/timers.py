"""Timers of a simulation: what was started, and when it is due. `Simulation.advance` lets time pass."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.types import is_aggregate
from pybpf.simulator.memory import Ref, scalar_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.simulator.tables import Table

__all__ = ["Timers"]


class Timers:
    """Timers by the memory that they lie in: (due in ns, order, table, key, function)."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[int, int, Table, bytes, bytearray, Callable[..., Any]]] = {}
        self._count = 0

    def start(self, timer: Ref, table: Table, due: int, function: Callable[..., Any]) -> bool:
        """False where the element is no longer in the map."""
        key = next((raw for raw, copies in table.entries.items() if any(c is timer.memory for c in copies)), None)
        if key is None:
            return False
        self._count += 1
        self._waiting[id(timer.memory)] = due, self._count, table, key, timer.memory, function
        return True

    def cancel(self, timer: Ref) -> bool:
        return self._waiting.pop(id(timer.memory), None) is not None

    def next(self, until: int) -> tuple[int, Callable[[], Any]] | None:
        """The first timer that is due until then: when, and what to call. A deleted element's timer is gone."""
        while self._waiting:
            name = min(self._waiting, key=lambda n: self._waiting[n][:2])
            due, _, table, raw, memory, function = self._waiting[name]
            if due > until:
                return None
            del self._waiting[name]
            if any(copy is memory for copy in table.entries.get(raw, ())):
                key = Ref(bytearray(raw), 0, table.key_type)
                given = key if is_aggregate(table.key_type) else scalar_of(table.key_type).load(key)
                return due, partial(function, given, Ref(memory, 0, table.value_type))
        return None
