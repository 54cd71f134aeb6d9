"""Queues, stacks and bloom filters of a simulation as the test sees them, as `obj[...]` of a loaded object is."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pybpf.compiler.schema.record import replace
from pybpf.runtime.codec import codec
from pybpf.simulator.buffers import Commands, CommandsView, PerfRing, PerfView, Stacks
from pybpf.simulator.errors import SimulationError
from pybpf.simulator.othertables import Filter, Items, Slots, Tables
from pybpf.simulator.tables import Table
from pybpf.simulator.views import MapView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["FilterView", "ItemsView", "TablesView", "view"]

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


class TablesView(MutableMapping[Any, Any]):
    """A map of maps: `sim[tenants][7] = sim[table]`, or a declaration."""

    def __init__(self, table: Tables, find: Callable[[Any], Any]) -> None:
        self._table = table
        self._find = find
        self._key = codec(table.key_type, f"key of map {table.spec.name!r}")

    def _raw(self, key: Any) -> bytes:
        if self._table.spec.kind.indexed and not 0 <= key < self._table.spec.max_entries:
            raise KeyError(key)
        return self._key.encode(key)

    def __getitem__(self, key: Any) -> Any:
        found = self._table.tables.get(self._raw(key))
        if found is None:
            raise KeyError(key)
        return view(found, self._find)

    def __setitem__(self, key: Any, value: Any) -> None:
        table = getattr(value, "_table", None) or self._find(value.__bpf__)
        raw = self._raw(key)
        held = self._table.tables
        if raw not in held and len(held) >= self._table.spec.max_entries:
            raise OverflowError(f"map {self._table.spec.name!r} is full: max_entries={self._table.spec.max_entries}")
        held[raw] = table

    def __delitem__(self, key: Any) -> None:
        del self._table.tables[self._raw(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter([self._key.decode(raw, 0) for raw in self._table.tables])

    def __len__(self) -> int:
        return len(self._table.tables)

    def new(self, max_entries: int = 0) -> Any:
        """An empty map as they are in here."""
        inner = self._table.spec.inner
        assert inner is not None
        made = self._find(replace(inner, max_entries=max_entries or inner.max_entries))
        return view(made, self._find)


def view(table: Any, find: Callable[[Any], Any]) -> Any:
    """What a simulation shows of a table. `find` gives the table of a spec."""
    if isinstance(table, Table):
        return MapView(table)
    if isinstance(table, Tables):
        return TablesView(table, find)
    if isinstance(table, Slots):
        return table.slots
    if type(table) is Stacks:
        raise SimulationError(f"there are no stacks in a simulation: map {table.spec.name} is for the kernel")
    if table.spec.kind.family == "arena":
        from pybpf.simulator.arenas import ArenaView

        return ArenaView(table)
    return _VIEWS[type(table)](table)


_VIEWS: dict[type, Any] = {Items: ItemsView, Filter: FilterView, Commands: CommandsView,
                           PerfRing: PerfView}  # fmt: skip
