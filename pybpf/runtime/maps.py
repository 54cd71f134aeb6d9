"""Maps of a loaded object as typed mutable mappings.

    obj[paths][42] = 7          update            KeyError, TypeError, OverflowError name the map and the field
    obj[paths].get(42)          lookup
    for k, v in obj[flows].items(): ...           survives concurrent and own deletions
    obj[hits][0].sum()          a per-CPU map gives a list with one value per CPU

Keys and values are copies: changing a struct that was read changes nothing in the kernel until it is stored again.
"""

from __future__ import annotations

import errno
from collections.abc import ItemsView, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.compiler.schema.types import opaque_in
from pybpf.runtime import mapops
from pybpf.runtime.codec import Codec, codec
from pybpf.runtime.errors import MapFull, ObjectClosed, PybpfError, errno_name, not_permitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedMap", "PerCpu", "UntypedMap"]

K = TypeVar("K")
V = TypeVar("V")

_UNSET: Any = object()
_BATCHED = {"HASH", "ARRAY", "PERCPU_HASH", "PERCPU_ARRAY", "LRU_HASH", "LRU_PERCPU_HASH"}


class PerCpu(list[V]):
    """One value per CPU, in the order of the CPUs. `sum()`, `max()` and `min()` over them, where they are numbers."""

    def sum(self) -> V:
        """The total over all CPUs; of structs and arrays, that of each number in them."""
        return _total(self)  # type: ignore[no-any-return]

    def max(self: PerCpu[int]) -> int:
        """The largest of them."""
        return max(self)

    def min(self: PerCpu[int]) -> int:
        """The smallest of them."""
        return min(self)


def _total(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, list):
        return type(first)([_total(list(items)) for items in zip(*values)])
    fields = getattr(type(first), "__bpf_fields__", None)
    if fields is None:
        return sum(values)
    return type(first)(**{name: _total([getattr(value, name) for value in values]) for name in fields})


class _PerCpuCodec:
    """A per-CPU value: each CPU's in a slot rounded up to 8 bytes (kernel/bpf/syscall.c, bpf_map_value_size)."""

    def __init__(self, one: Codec, cpus: int) -> None:
        self.one = one
        self.cpus = cpus
        self.stride = (one.size + 7) // 8 * 8
        self.size = self.stride * cpus

    def decode(self, buffer: Any, at: int) -> PerCpu[Any]:
        one, stride = self.one.decode, self.stride
        return PerCpu([one(buffer, at + cpu * stride) for cpu in range(self.cpus)])

    def decode_many(self, buffer: Any, count: int, stride: int) -> list[PerCpu[Any]]:
        return [self.decode(buffer, at) for at in range(0, count * stride, stride)]

    def encode(self, value: Any) -> bytes:
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__"):
            raise TypeError(f"{self.one.what}: takes a list of {self.cpus} values, one per CPU, not {value!r}")
        if len(value) != self.cpus:
            raise ValueError(f"{self.one.what}: takes one value for each of {self.cpus} CPUs, {len(value)} given")
        return b"".join([self.one.encode(item).ljust(self.stride, b"\0") for item in value])


class LoadedMap(MutableMapping[K, V]):
    """A map in the kernel. It lives as long as its object is open; after that every use raises `ObjectClosed`."""

    def __init__(self, fd: int, spec: MapSpec, max_entries: int, check: Callable[[], None]) -> None:
        """`fd` stays the object's; `check` raises when that is closed."""
        assert spec.key is not None and spec.value is not None
        self.name = spec.name
        self.spec = spec
        self.max_entries = max_entries
        self._fd = fd
        self._check = check
        self._indexed = spec.kind.indexed
        self._flags = mapops.LOCKED if "bpf_spin_lock" in opaque_in(spec.value) else 0
        self._key = codec(spec.key, f"key of map {spec.name!r}")
        value = codec(spec.value, f"value of map {spec.name!r}")
        self._value: Any = _PerCpuCodec(value, mapops.possible_cpus()) if spec.kind.percpu else value

    @property
    def fd(self) -> int:
        """The map's file descriptor; it belongs to the object."""
        self._check()
        return self._fd

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
        raw = self._encode_key(key)
        if raw is None:
            raise self._missing(key)
        encoded = self._value.encode(value)
        self._check()
        try:
            mapops.update(self._fd, raw, encoded, self._flags)
        except OSError as error:
            raise self._failed("writing", error) from error

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
        raw = self._key.encode(key)
        self._check()
        try:
            found = mapops.pop(self._fd, raw, self._value.size)
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
        if self._indexed:
            zero = bytes(self._value.size)
            for index in range(self.max_entries):
                self._check()
                mapops.update(self._fd, index.to_bytes(4, "little"), zero, self._flags)
            return
        for count, keys, _ in self._batches():
            for at in range(0, count * self._key.size, self._key.size):
                self._check()
                mapops.delete(self._fd, keys[at : at + self._key.size])

    def _refuse_deletion(self) -> None:
        if self._indexed:
            raise TypeError(f"map {self.name!r} is an array: its elements can't be deleted, only set")

    # ---------------------------------------------------------------------- all elements

    def _batches(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(count, keys, values) of all elements, in pieces."""
        self._check()
        key_size, value_size = self._key.size, self._value.size
        try:
            if self.spec.kind.name in _BATCHED:
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

    def __repr__(self) -> str:
        return f"<map {self.name!r}: {self.spec.kind.name}, {self.spec.key} -> {self.spec.value}>"

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    # ---------------------------------------------------------------------- errors

    def _failed(self, doing: str, error: OSError) -> Exception:
        if isinstance(error, PybpfError):
            return error
        if error.errno == errno.EBADF:
            return ObjectClosed(f"map {self.name!r}")
        if error.errno == errno.E2BIG:
            return MapFull(
                f"map {self.name!r} is full: it holds {self.max_entries} entries",
                "declare it with a larger max_entries, or as an LRU map, which drops the oldest",
            )
        if error.errno == errno.EPERM:
            return not_permitted(
                f"{doing} map {self.name!r}", "the map is read-only from user space (frozen, or made with BPF_F_RDONLY)"
            )
        return PybpfError(f"{doing} map {self.name!r}: {errno_name(error.errno or 0)}")


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


class UntypedMap:
    """A map of a kind without plain elements (arrays of programs, sockets, queues, ...): its name, spec and fd."""

    def __init__(self, fd: int, spec: MapSpec, check: Callable[[], None]) -> None:
        self.name = spec.name
        self.spec = spec
        self._fd = fd
        self._check = check

    @property
    def fd(self) -> int:
        """The map's file descriptor; it belongs to the object."""
        self._check()
        return self._fd

    def __repr__(self) -> str:
        return f"<map {self.name!r}: {self.spec.kind.name}>"
