"""Queues, stacks and bloom filters of a simulation as the test sees them, as `obj[...]` of a loaded object is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pybpf.runtime.codec import codec
from pybpf.simulator.buffers import Commands, CommandsView, PerfRing, PerfView, Stacks
from pybpf.simulator.errors import SimulationError
from pybpf.simulator.othertables import Filter, Items

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FilterView", "ItemsView", "view"]

V = TypeVar("V")


class ItemsView(Generic[V]):
    """A queue or a stack."""

    def __init__(self, table: Items) -> None:
        self._table = table
        self._value = codec(table.value_type, f"item of map {table.spec.name!r}")

    def push(self, item: V, *, drop_oldest: bool = False) -> bool:
        """Add an item; False where there is no room."""
        return self._table.add(self._value.encode(item), 2 if drop_oldest else 0) == 0

    def pop(self) -> V | None:
        """Take the next item out; None where there is none."""
        found = self._table.next(False)
        return None if found is None else self._value.decode(found, 0)

    def peek(self) -> V | None:
        """The next item; None where there is none."""
        found = self._table.next(True)
        return None if found is None else self._value.decode(found, 0)

    def drain(self) -> list[V]:
        """Take all items out, in order."""
        found = [self._value.decode(item, 0) for item in self._table.items]
        self._table.items.clear()
        return found

    def clear(self) -> None:
        self._table.items.clear()

    def update(self, items: Iterable[V]) -> None:
        for item in items:
            self.push(item)

    def __len__(self) -> int:
        return len(self._table.items)

    def __repr__(self) -> str:
        items = [self._value.decode(item, 0) for item in self._table.items]
        return f"<simulated {self._table.spec.name}: {items!r}>"


class FilterView(Generic[V]):
    """A bloom filter."""

    def __init__(self, table: Filter) -> None:
        self._table = table
        self._value = codec(table.value_type, f"item of map {table.spec.name!r}")

    def add(self, item: V) -> bool:
        return self._table.add(self._value.encode(item)) == 0

    def __contains__(self, item: Any) -> bool:
        return self._value.encode(item) in self._table.items

    def clear(self) -> None:
        self._table.items.clear()

    def update(self, items: Iterable[V]) -> None:
        for item in items:
            self.add(item)

    def __repr__(self) -> str:
        return f"<simulated {self._table.spec.name}: {len(self._table.items)} values>"


def view(table: Any) -> Any:
    """What a simulation shows of a table."""
    if type(table) is Stacks:
        raise SimulationError(f"there are no stacks in a simulation: map {table.spec.name} is for the kernel")
    return _VIEWS[type(table)](table)


_VIEWS: dict[type, Any] = {Items: ItemsView, Filter: FilterView, Commands: CommandsView,
                           PerfRing: PerfView}  # fmt: skip
