"""Queues, stacks and bloom filters of a loaded object."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pybpf.runtime import mapops
from pybpf.runtime.codec import codec
from pybpf.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedBloomFilter", "LoadedQueue"]

V = TypeVar("V")


class _Keyless(MapHandle, Generic[V]):
    def __init__(self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None]) -> None:
        """`fd` stays the object's; `check` raises when that is closed."""
        super().__init__(fd, spec, max_entries, check)
        assert spec.value is not None
        self._value = codec(spec.value, f"item of map {spec.name!r}")

    def _push(self, item: Any, flags: int) -> bool:
        raw = self._value.encode(item)
        self._check()
        try:
            mapops.push(self._fd, raw, flags)
        except OSError as error:
            if error.errno == errno.E2BIG:
                return False
            raise self._failed("writing", error) from error
        return True


class LoadedQueue(_Keyless[V]):
    """A queue or a stack: `push`, `pop`, `peek`, as in the program. What is taken out is a copy."""

    def push(self, item: V, *, drop_oldest: bool = False) -> bool:
        """Add an item; False where there are `max_entries` already. With `drop_oldest` the oldest one makes room."""
        return self._push(item, mapops.EXIST if drop_oldest else mapops.ANY)

    def pop(self) -> V | None:
        """Take the next item out; None where there is none."""
        return self._take(False)

    def peek(self) -> V | None:
        """The next item, which stays; None where there is none."""
        return self._take(True)

    def drain(self) -> list[V]:
        """Take out what there is, in order; at most as many items as the map holds."""
        found: list[V] = []
        while len(found) < self.max_entries:
            raw = self._raw(False)
            if raw is None:
                break
            found.append(self._value.decode(raw, 0))
        return found

    def _take(self, keeps: bool) -> V | None:
        raw = self._raw(keeps)
        return None if raw is None else self._value.decode(raw, 0)

    def _raw(self, keeps: bool) -> bytes | None:
        self._check()
        size = self._value.size
        try:
            return mapops.peek(self._fd, size) if keeps else mapops.pop(self._fd, b"", size)
        except OSError as error:
            raise self._failed("reading", error) from error


class LoadedBloomFilter(_Keyless[V]):
    """A bloom filter: `add`, and `in`, which is never False for what was added, and rarely True for what was not."""

    def add(self, item: V) -> None:
        """Remember a value."""
        self._push(item, mapops.ANY)

    def __contains__(self, item: object) -> bool:
        raw = self._value.encode(item)
        self._check()
        try:
            return mapops.peek(self._fd, raw) is not None
        except OSError as error:
            raise self._failed("reading", error) from error
