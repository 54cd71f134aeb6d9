"""Maps and globals of a simulation as the test sees them: typed, as `obj[...]` of a loaded object is.

sim[paths][7] = 0x1000            a MutableMapping of decoded keys and values
sim[hits][0].sum()                a per-CPU map gives a list with one value per CPU
list(sim[opens])                  a ring buffer is the list of its events
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pybpf.runtime.codec import codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pybpf.simulator.tables import Programs, Ring, Table

__all__ = ["MapView", "ProgramsView", "RingView"]

K = TypeVar("K")
V = TypeVar("V")


class MapView(MutableMapping[K, V]):
    """A keyed map."""

    def __init__(self, table: Table) -> None:
        name = table.spec.name
        self._table = table
        self._key = codec(table.key_type, f"key of map {name!r}")
        self._value = codec(table.value_type, f"value of map {name!r}")

    def _decode(self, copies: list[bytearray]) -> Any:
        if not self._table.spec.kind.percpu:
            return self._value.decode(copies[0], 0)
        from pybpf.runtime.maps import PerCpu

        return PerCpu([self._value.decode(copy, 0) for copy in copies])

    def __getitem__(self, key: K) -> V:
        found = self._table.seen(self._encode_key(key) or b"")
        if found is None:
            raise KeyError(key)
        return self._decode(found)  # type: ignore[no-any-return]

    def set(self, key: K, value: V, *, lock: bool = False) -> bool:
        """Set a key; False where the map is full."""
        try:
            self[key] = value
        except OverflowError:
            if self._encode_key(key) is None or self._table.held(self._encode_key(key) or b"") is not None:
                raise
            return False
        return True

    def insert(self, key: K, value: V, *, lock: bool = False) -> bool:
        """Set a key that is not there yet; False where it is, or the map is full."""
        return self._table.held(self._encode_key(key) or b"") is None and self.set(key, value)

    def replace(self, key: K, value: V, *, lock: bool = False) -> bool:
        """Set a key that is there; False where it is not."""
        return self._table.held(self._encode_key(key) or b"") is not None and self.set(key, value)

    def drain(self) -> list[tuple[K, V]]:
        """Take all elements out."""
        found = list(self.items())
        self.clear()
        return found

    def _encode_key(self, key: Any) -> bytes | None:
        """None for an index that the array does not have."""
        spec = self._table.spec
        if spec.kind.indexed and isinstance(key, int) and not 0 <= key < spec.max_entries:
            return None
        return self._key.encode(key)

    def __setitem__(self, key: K, value: V) -> None:
        table = self._table
        raw = self._encode_key(key)
        if raw is None:
            raise KeyError(key)
        values: list[Any] = list(value) if table.spec.kind.percpu else [value]  # type: ignore[call-overload]
        if len(values) != table.copies:
            raise ValueError(f"map {table.spec.name!r}: takes one value for each of {table.copies} CPUs")
        encoded = [self._value.encode(item) for item in values]
        if table.held(raw) is None and table.put(raw, bytes(table.size)) < 0:
            raise OverflowError(f"map {table.spec.name!r} is full: max_entries={table.spec.max_entries}")
        for copy, data in zip(table.held(raw) or (), encoded):
            copy[:] = data

    def __delitem__(self, key: K) -> None:
        if self._table.remove(self._encode_key(key) or b"") < 0:
            raise KeyError(key)

    def __iter__(self) -> Iterator[K]:
        return iter([self._key.decode(raw, 0) for raw in self._table.entries])

    def __len__(self) -> int:
        return len(self._table.entries)

    def clear(self) -> None:
        """Remove all elements; in arrays, set them to zero."""
        if not self._table.spec.kind.indexed:
            self._table.entries.clear()
        for copies in self._table.entries.values():
            for copy in copies:
                copy[:] = bytes(len(copy))

    def __repr__(self) -> str:
        return f"<simulated {self._table.spec.name}: {dict(self)!r}>"


class RingView(Sequence[V]):
    """A ring buffer: the events that were submitted and not yet consumed, oldest first."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        name = f"event of ring buffer {ring.spec.name!r}"
        self._value = codec(ring.value_type, name) if ring.value_type is not None else None

    @overload
    def __getitem__(self, index: int) -> V: ...
    @overload
    def __getitem__(self, index: slice) -> list[V]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._decoded(event) for event in self._ring.events[index]]
        return self._decoded(self._ring.events[index])

    def _decoded(self, event: bytes) -> Any:
        return event if self._value is None else self._value.decode(event, 0)

    def __len__(self) -> int:
        return len(self._ring.events)

    @property
    def lost(self) -> int:
        """Events that `emit` and `reserve` found no room for."""
        return self._ring.lost

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (list, RingView)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    async def __aiter__(self) -> AsyncIterator[V]:
        for event in self.poll():
            yield event

    def poll(self, timeout: float | None = None) -> list[V]:
        """Consume the events there are. There is nobody to wait for."""
        events = list(self)
        self.clear()
        return events

    def clear(self) -> None:
        """Consume all events, which makes room for new ones."""
        self._ring.events.clear()

    def __repr__(self) -> str:
        return f"<simulated {self._ring.spec.name}: {list(self)!r}>"


class ProgramsView(MutableMapping[int, Any]):
    """A program array: `sim[stages][0] = tcp`. Empty slots are not there."""

    def __init__(self, table: Programs) -> None:
        self._table = table

    def __getitem__(self, index: int) -> Any:
        return self._table.slots[index]

    def __setitem__(self, index: int, program: Any) -> None:
        if not 0 <= index < self._table.spec.max_entries:
            raise IndexError(f"map {self._table.spec.name!r} has {self._table.spec.max_entries} slots, from 0 on")
        self._table.slots[index] = program

    def __delitem__(self, index: int) -> None:
        del self._table.slots[index]

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._table.slots))

    def __len__(self) -> int:
        return len(self._table.slots)

    def tail_call(self, context: Any, index: int) -> None:
        """What the declaration's method does while the simulation runs."""
        self._table.call(int(index))

    def __repr__(self) -> str:
        return f"<simulated {self._table.spec.name}: {self._table.slots!r}>"
