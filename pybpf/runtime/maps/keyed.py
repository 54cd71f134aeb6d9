"""Maps of a loaded object as typed mutable mappings.

    obj[paths][42] = 7          update            KeyError, TypeError, OverflowError name the map and the field
    obj[paths].get(42)          lookup
    for k, v in obj[flows].items(): ...           survives concurrent and own deletions
    obj[hits][0].sum()          a per-CPU map gives a list with one value per CPU

Keys and values are copies: changing a struct that was read changes nothing in the kernel until it is stored again.
"""

from __future__ import annotations

import errno
import mmap
from collections.abc import ItemsView, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.compiler.schema.types import opaque_in
from pybpf.runtime import mapops
from pybpf.runtime.codec import codec
from pybpf.runtime.maps.handle import MapHandle
from pybpf.runtime.maps.percpu import PerCpuCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedMap"]

K = TypeVar("K")
V = TypeVar("V")

_UNSET: Any = object()
_MMAPABLE = 1 << 10  # BPF_F_MMAPABLE


class LoadedMap(MapHandle, MutableMapping[K, V]):
    """A map in the kernel. It lives as long as its object is open; after that every use raises `ObjectClosed`."""

    def __init__(self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None]) -> None:
        """`fd` stays the object's; `check` raises when that is closed."""
        super().__init__(fd, spec, max_entries, check)
        assert spec.key is not None and spec.value is not None
        self._indexed = spec.kind.indexed
        self._can = frozenset(spec.kind.user.split())
        self._flags = mapops.LOCKED if "bpf_spin_lock" in opaque_in(spec.value) else 0
        self._key = codec(spec.key, f"key of map {spec.name!r}")
        value = codec(spec.value, f"value of map {spec.name!r}")
        self._value: Any = PerCpuCodec(value, mapops.possible_cpus()) if spec.kind.percpu else value
        self._memory: mmap.mmap | None = None
        if self._indexed and spec.flags & _MMAPABLE and not self._flags:
            self._memory = _mapped(fd, max_entries * self._stride)

    @property
    def _stride(self) -> int:
        """Bytes from one slot of an array to the next (array_map_alloc in kernel/bpf/arraymap.c)."""
        return (self._value.size + 7) // 8 * 8  # type: ignore[no-any-return]

    def _release(self) -> None:
        self._memory = None  # unmapped when nobody reads it any more

    @property
    def cpus(self) -> int:
        """Values a key has: the number of possible CPUs for a per-CPU map, else 1."""
        return mapops.possible_cpus() if self.spec.kind.percpu else 1

    # ---------------------------------------------------------------------- elements

    def _encode_key(self, key: Any) -> bytes | None:
        """A key's bytes; None for an array index that no element can have."""
        if self._indexed and isinstance(key, int) and not 0 <= key < self.max_entries:
            return None
        return self._key.encode(key)

    def _missing(self, key: Any) -> KeyError:
        if self._indexed:
            return KeyError(f"map {self.name!r} has no index {key!r}; it has 0 to {self.max_entries - 1}")
        return KeyError(key)

    def __getitem__(self, key: K) -> V:
        found: V = self.get(key, _UNSET)
        if found is _UNSET:
            raise self._missing(key)
        return found

    def get(self, key: Any, default: Any = None) -> Any:
        """The value at a key (a list of one per CPU in per-CPU maps), or the default."""
        raw = self._encode_key(key)
        self._check()
        memory = self._memory
        if memory is not None:
            return default if raw is None else self._value.decode(memory, key * self._stride)
        try:
            found = mapops.lookup(self._fd, raw, self._value.size, self._flags) if raw is not None else None
        except OSError as error:
            raise self._failed("reading", error) from error
        return default if found is None else self._value.decode(found, 0)

    def __contains__(self, key: object) -> bool:
        raw = self._encode_key(key)
        self._check()
        try:
            return raw is not None and mapops.lookup(self._fd, raw, self._value.size, self._flags) is not None
        except OSError as error:
            raise self._failed("reading", error) from error

    def __setitem__(self, key: K, value: V) -> None:
        self._set(key, value, mapops.ANY)

    def insert(self, key: K, value: V) -> bool:
        """Set a key that is not there yet (BPF_NOEXIST); False where it is. MapFull where there is no room."""
        return self._set(key, value, mapops.NOEXIST)

    def replace(self, key: K, value: V) -> bool:
        """Set a key that is there (BPF_EXIST); False where it is not."""
        return self._set(key, value, mapops.EXIST)

    def _set(self, key: K, value: V, mode: int) -> bool:
        raw = self._encode_key(key)
        if raw is None:
            raise self._missing(key)
        encoded = self._value.encode(value)
        self._check()
        try:
            mapops.update(self._fd, raw, encoded, self._flags | mode)
        except OSError as error:
            if mode and error.errno in (errno.EEXIST, errno.ENOENT):
                return False
            raise self._failed("writing", error) from error
        return True

    if TYPE_CHECKING:

        def update(self, other: Any = (), /, **more: V) -> None: ...

    else:

        def update(self, other=(), /, **more):
            """Set many keys, in one system call where the kernel can (BPF_MAP_UPDATE_BATCH, Linux 5.6)."""
            pairs = list(other.items() if hasattr(other, "keys") else other) + list(more.items())
            encoded = []
            for key, value in pairs:
                raw = self._encode_key(key)
                if raw is None:
                    raise self._missing(key)
                encoded.append((raw, self._value.encode(value)))
            self._check()
            try:
                done = mapops.update_batch(self._fd, encoded, self._flags) if "batch" in self._can else 0
                for raw, value in encoded[done:]:
                    mapops.update(self._fd, raw, value, self._flags)
            except OSError as error:
                raise self._failed("writing", error) from error

    def discard(self, keys: Iterable[K]) -> int:
        """Remove those of many keys that are there; how many were. In few system calls where the kernel can."""
        self._refuse_deletion()
        encoded = [self._key.encode(key) for key in keys]
        self._check()
        try:
            if "batch" in self._can:
                return mapops.delete_batch(self._fd, encoded)
            return sum([mapops.delete(self._fd, raw) for raw in encoded])
        except OSError as error:
            raise self._failed("deleting", error) from error

    def drain(self) -> list[tuple[K, V]]:
        """Take out all elements. Of a hash map each is given with its last value, in few system calls
        (BPF_MAP_LOOKUP_AND_DELETE_BATCH, Linux 5.6); in a trie of prefixes each is read, then removed.
        """
        self._refuse_deletion()
        taken: list[tuple[K, V]] = []
        try:
            for count, keys, values in self._taken():
                taken += zip(
                    self._key.decode_many(keys, count, self._key.size),
                    self._value.decode_many(values, count, self._value.size),
                )
        except OSError as error:
            raise self._failed("draining", error) from error
        return taken

    def _taken(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(count, keys, values) of elements as they are removed."""
        self._check()
        key_size, value_size = self._key.size, self._value.size
        if "drain" in self._can:
            batches = mapops.batches(self._fd, key_size, value_size, self.max_entries, self._flags, taking=True)
            if batches is not None:
                yield from batches
                return
        for key in list(mapops.keys(self._fd, key_size, self.max_entries)):
            self._check()
            if "pop" in self._can:
                value = mapops.pop(self._fd, key, value_size, self._flags)
            else:
                value = mapops.lookup(self._fd, key, value_size, self._flags)
                value = value if mapops.delete(self._fd, key) else None
            if value is not None:
                yield 1, key, value

    def __delitem__(self, key: K) -> None:
        self._refuse_deletion()
        raw = self._key.encode(key)
        self._check()
        try:
            if not mapops.delete(self._fd, raw):
                raise self._missing(key)
        except OSError as error:
            raise self._failed("deleting", error) from error

    def pop(self, key: Any, default: Any = _UNSET) -> Any:
        """Remove a key and give its value, in one step where the kernel can."""
        self._refuse_deletion()
        if "pop" not in self._can:
            raise TypeError(f"map {self.name!r}: a {self.spec.kind.name} map can't look up and delete in one step")
        raw = self._key.encode(key)
        self._check()
        try:
            found = mapops.pop(self._fd, raw, self._value.size, self._flags)
        except OSError as error:
            raise self._failed("deleting", error) from error
        if found is not None:
            return self._value.decode(found, 0)
        if default is _UNSET:
            raise self._missing(key)
        return default

    def popitem(self) -> tuple[K, V]:
        """Remove some element and give it; KeyError when there is none."""
        self._refuse_deletion()
        for key in self:
            found = self.pop(key, _UNSET)
            if found is not _UNSET:
                return key, found
        raise KeyError(f"map {self.name!r} is empty")

    def clear(self) -> None:
        """Remove all elements; in arrays, set them to zero."""
        size, zero = self._key.size, bytes(self._value.size)
        try:
            for index in range(self.max_entries if self._indexed else 0):
                self._check()
                mapops.update(self._fd, index.to_bytes(4, "little"), zero, self._flags)
            for count, keys, _ in () if self._indexed else self._batches():
                self._check()
                mapops.delete_batch(self._fd, [keys[at : at + size] for at in range(0, count * size, size)])
        except OSError as error:
            raise self._failed("clearing", error) from error

    def _refuse_deletion(self) -> None:
        if self._indexed:
            raise TypeError(f"map {self.name!r} is an array: its elements can't be deleted, only set")

    # ---------------------------------------------------------------------- all elements

    def _batches(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(count, keys, values) of all elements, in pieces."""
        self._check()
        key_size, value_size = self._key.size, self._value.size
        try:
            if "batch" in self._can:
                found = mapops.batches(self._fd, key_size, value_size, self.max_entries, self._flags)
                if found is not None:
                    for batch in found:
                        yield batch
                        self._check()
                    return
            # All keys first: a cursor does not survive the deletion of its key.
            for key in list(mapops.keys(self._fd, key_size, self.max_entries)):
                value = mapops.lookup(self._fd, key, value_size, self._flags)
                if value is not None:
                    yield 1, key, value
                    self._check()
        except OSError as error:
            raise self._failed("listing", error) from error

    def _pairs(self) -> Iterator[tuple[K, V]]:
        memory = self._memory
        if memory is not None:
            self._check()
            values = self._value.decode_many(memory, self.max_entries, self._stride)
            indices: Any = range(self.max_entries)
            yield from zip(indices, values)
            return
        for count, keys, values in self._batches():
            yield from zip(
                self._key.decode_many(keys, count, self._key.size),
                self._value.decode_many(values, count, self._value.size),
            )

    def __iter__(self) -> Iterator[K]:
        if self._indexed:
            self._check()
            yield from range(self.max_entries)  # type: ignore[misc]
            return
        for count, keys, _ in self._batches():
            yield from self._key.decode_many(keys, count, self._key.size)

    def __len__(self) -> int:
        if self._indexed:
            self._check()
            return self.max_entries
        return sum(count for count, _, _ in self._batches())

    def __bool__(self) -> bool:
        return self._indexed or next(self._batches(), None) is not None

    def items(self) -> ItemsView[K, V]:
        return _Items(self)

    def values(self) -> ValuesView[V]:
        return _Values(self)

    __hash__ = MapHandle.__hash__
    __eq__ = MapHandle.__eq__
    __repr__ = MapHandle.__repr__


def _mapped(fd: int, size: int) -> mmap.mmap | None:
    """An array's values for reading without system calls; None where the kernel does not let us."""
    try:
        return mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
    except (OSError, ValueError):
        return None


class _Items(ItemsView[K, V]):
    """Pairs read batch by batch, instead of a lookup for each key."""

    def __init__(self, source: LoadedMap[K, V]) -> None:
        super().__init__(source)
        self._source = source

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._source._pairs()


class _Values(ValuesView[V]):
    def __init__(self, source: LoadedMap[Any, V]) -> None:
        super().__init__(source)
        self._source = source

    def __iter__(self) -> Iterator[V]:
        for _, value in self._source._pairs():
            yield value
