"""Maps in memory, as programs see them: bytes by bytes, with the limits and return codes of the kernel's.

A `Table` is asked by the translated program with keys and values as it holds them: numbers, or places of aggregates.
Typed access for the user is views.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.types import U32, ArrayType, StructType, TextType, is_aggregate, size_of
from pybpf.simulator.errors import SimulationError
from pybpf.simulator.memory import Place, Ref, scalar_of
from pybpf.simulator.numbers import arithmetic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type

__all__ = ["EXIST", "Programs", "Ring", "Table", "make_table", "to_bytes"]

E2BIG, EEXIST, ENOENT, EINVAL, ENOSPC = 7, 17, 2, 22, 28  # include/uapi/asm-generic/errno-base.h
NOEXIST, EXIST = 1, 2


def to_bytes(type: Type, value: Any) -> bytes:
    """The bytes of a key or value: a number, or the place of an aggregate. A shorter text is followed by zeroes."""
    if isinstance(value, Place):
        size = size_of(type)
        held = size_of(value.type) if value.type is not None else size
        if isinstance(value, Ref) and value.dynamic:
            return value.text(held)[: size - 1].ljust(size, b"\0")
        return _tidy(type, value.read(min(size, held)).ljust(size, b"\0"))
    return scalar_of(type).encode(value)


def _tidy(type: Type, data: bytes) -> bytes:
    """The bytes with zeroes behind the NUL of each text."""
    if isinstance(type, TextType):
        return data.split(b"\0")[0].ljust(type.size, b"\0")
    if isinstance(type, StructType):
        for field in type.fields:
            if is_aggregate(field.type):
                end = field.offset + size_of(field.type)
                data = data[: field.offset] + _tidy(field.type, data[field.offset : end]) + data[end:]
    elif isinstance(type, ArrayType) and is_aggregate(type.element):
        step = size_of(type.element)
        return b"".join([_tidy(type.element, data[i : i + step]) for i in range(0, len(data), step)])
    return data


class Table:
    """A hash map, or with an indexed kind an array. Each entry has one value a CPU in per-CPU maps, else one."""

    def __init__(self, spec: MapSpec, cpus: int, cpu: Callable[[], int]) -> None:
        assert spec.value is not None
        self.spec = spec
        self.key_type: Type = spec.key or U32
        self.value_type: Type = spec.value
        self.size = size_of(spec.value)
        self.copies = cpus if spec.kind.percpu else 1
        self.entries: dict[bytes, list[bytearray]] = {}
        self._cpu = cpu if spec.kind.percpu else lambda: 0
        self._aggregate = is_aggregate(spec.value)
        self._lru = spec.kind.name.startswith("LRU_")
        if spec.kind.indexed:
            for index in range(spec.max_entries):
                self.entries[index.to_bytes(4, "little")] = [bytearray(self.size) for _ in range(self.copies)]

    def held(self, key: bytes) -> list[bytearray] | None:
        """The values of exactly this key."""
        return self.entries.get(key)

    def seen(self, key: bytes) -> list[bytearray] | None:
        """The values that a lookup finds."""
        return self.entries.get(key)

    # what bpf(2) does

    def find(self, key: bytes) -> bytearray | None:
        """The value of this CPU. In an LRU map the entry becomes the most recently used."""
        found = self.entries.get(key)
        if found is None:
            return None
        if self._lru:
            self.entries[key] = self.entries.pop(key)
        return found[self._cpu()]

    def put(self, key: bytes, value: bytes, flags: int = 0) -> int:
        """0, or a negative error number."""
        if key in self.entries:
            if flags & NOEXIST:
                return -EEXIST
            memory = self.find(key)
            assert memory is not None
            memory[:] = value
            return 0
        if flags & EXIST:
            return -ENOENT
        if self.spec.kind.indexed:
            return -E2BIG
        if len(self.entries) >= self.spec.max_entries:
            if not self._lru:
                return -ENOSPC if self.spec.kind.family == "trie" else -E2BIG
            del self.entries[next(iter(self.entries))]
        copies = [bytearray(self.size) for _ in range(self.copies)]
        copies[self._cpu()][:] = value
        self.entries[key] = copies
        return 0

    def remove(self, key: bytes) -> int:
        if self.spec.kind.indexed:
            return -EINVAL
        return 0 if self.entries.pop(key, None) is not None else -ENOENT

    # what programs do

    def _key(self, key: Any) -> bytes:
        return to_bytes(self.key_type, key)

    def _held(self, memory: bytearray | None) -> Any:
        if memory is None:
            return None
        ref = Ref(memory, 0, self.value_type)
        return ref if self._aggregate else scalar_of(self.value_type).load(ref)

    def get(self, key: Any) -> Any:
        """The number, or the place of the aggregate; None where there is no such key."""
        return self._held(self.find(self._key(key)))

    def has(self, key: Any) -> bool:
        return self.find(self._key(key)) is not None

    def set(self, key: Any, value: Any, flags: int) -> bool:
        return self.put(self._key(key), to_bytes(self.value_type, value), flags & (NOEXIST | EXIST)) == 0

    def bump(self, key: Any, op: str, value: Any, is_signed: bool) -> None:
        """entry op= value, of an entry that starts as zero."""
        raw = self._key(key)
        if self.find(raw) is None:
            self.put(raw, bytes(self.size), NOEXIST)
        memory = self.find(raw)
        if memory is not None:
            scalar, place = scalar_of(self.value_type), Ref(memory)
            scalar.store(place, arithmetic(op, int(scalar.load(place)), int(value), is_signed))

    def delete(self, key: Any) -> None:
        self.remove(self._key(key))

    def pop(self, key: Any) -> Any:
        """The number, or the place of a copy; None where there is no such key."""
        memory = self.find(self._key(key))
        value = self._held(memory if memory is None else bytearray(memory))
        self.delete(key)
        return value

    def default(self, key: Any, value: Any) -> Any:
        """The entry, made from `value` if it is new; None where the map is full."""
        raw = self._key(key)
        if self.find(raw) is None:
            self.put(raw, to_bytes(self.value_type, value), NOEXIST)
        return self._held(self.find(raw))

    def walk(self) -> Iterator[tuple[Any, Any]]:
        """Keys and values: a key as a number or a place of its own, a value as `get` gives it."""
        for raw in list(self.entries):
            if raw in self.entries:
                key = Ref(bytearray(raw), 0, self.key_type)
                memory = self.entries[raw][self._cpu()]
                yield key if is_aggregate(self.key_type) else scalar_of(self.key_type).load(key), self._held(memory)

    def slot(self, index: int) -> Ref:
        """The place of an array's element."""
        memory = self.find(scalar_of(self.key_type).encode(index))
        if memory is None:
            raise SimulationError(f"map {self.spec.name} has no index {index}")
        return Ref(memory, 0, self.value_type)


class Ring:
    """A ring buffer. `events` are the submitted records that nobody has consumed; they take up its room.

    A record takes 8 bytes of header and its size rounded up to 8 (kernel/bpf/ringbuf.c).
    """

    def __init__(self, spec: MapSpec) -> None:
        self.spec = spec
        self.value_type: Type | None = spec.value  # None: bytes, of which a record has any number
        self.size = size_of(spec.value) if spec.value is not None else 0
        self.events: list[bytes] = []
        self.lost = 0  # what emit and reserve found no room for
        self._reserved = 0

    def _has_room(self, size: int) -> bool:
        used = sum([_record_size(len(event)) for event in self.events]) + self._reserved
        return used + _record_size(size) < self.spec.max_entries  # one byte always stays free

    def emit(self, value: Any) -> bool:
        assert self.value_type is not None
        done = self.output(to_bytes(self.value_type, value)) == 0
        self.lost += not done
        return done

    def output(self, data: bytes) -> int:
        """bpf_ringbuf_output: 0, or -EAGAIN where it is full."""
        if not self._has_room(len(data)):
            return -11
        self.events.append(data)
        return 0

    def reserve(self, size: int = 0) -> Record:
        """A record to fill in, of the events' size unless told; its `ref` is None where the ring buffer is full."""
        whole, size = not size, size or self.size
        room = self._has_room(size)
        self.lost += whole and not room
        if room:
            self._reserved += _record_size(size)
        kind = self.value_type if size == self.size else None
        return Record(self, Ref(bytearray(size), 0, kind) if room else None, len(self.events))

    def finish(self, record: Record, keep: bool) -> None:
        if record.ref is not None and record.open:
            size = len(record.ref.memory)
            self._reserved -= _record_size(size)
            if keep:
                self.events.insert(record.place, record.ref.read(size))
        record.open = False


def _record_size(size: int) -> int:
    return 8 + (size + 7) // 8 * 8


class Record:
    """A reserved record: a context manager that submits it on the way out, unless it was discarded."""

    __slots__ = ("open", "place", "ref", "ring")

    def __init__(self, ring: Ring, ref: Ref | None, place: int) -> None:
        self.ring = ring
        self.ref = ref
        self.place = place  # events lie in the order of their reservations
        self.open = True

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.ring.finish(self, True)

    def discard(self) -> None:
        self.ring.finish(self, False)


class Programs:
    """A program array: the programs in its slots."""

    def __init__(self, spec: MapSpec) -> None:
        self.spec = spec
        self.slots: dict[int, Any] = dict(spec.programs)

    def call(self, index: int) -> None:
        """Leave the program for that of the slot; nothing happens where it is empty."""
        from pybpf.stdlib.simulation import TailCalled

        program = self.slots.get(index & 0xFFFF_FFFF)
        if program is not None:
            raise TailCalled(program)


def make_table(spec: MapSpec, cpus: int, cpu: Callable[[], int]) -> Any:
    """The in-memory map of a declaration."""
    family = spec.kind.family
    if family == "programs":
        return Programs(spec)
    if family == "ring":
        return Ring(spec)
    if family in ("hash", "array"):
        return Table(spec, cpus, cpu)
    from pybpf.simulator import othertables

    made = othertables.TABLES.get(family)
    if made is None:
        raise SimulationError(f"maps of type {spec.kind.name} can't be simulated (map {spec.name})")
    return made(spec)
