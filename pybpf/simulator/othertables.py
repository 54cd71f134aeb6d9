"""Maps in memory that are no plain tables: tries of prefixes, queues, stacks, bloom filters, local storages.

A class a family of maps (MapKind.family), in `TABLES`; tables.py says what the methods are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import U32, U64, is_aggregate, size_of
from pybpf.simulator.buffers import Commands, PerfRing, Stacks
from pybpf.simulator.memory import Ref, scalar_of
from pybpf.simulator.tables import EXIST, Table, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["TABLES", "Filter", "Items", "Trie"]

E2BIG, EINVAL, EAGAIN = 7, 22, 11
_CONTEXT = 1  # the address of a context that is an object itself


class Trie(Table):
    """A trie of prefixes: 4 bytes with the length in bits, then the address (kernel/bpf/lpm_trie.c)."""

    def __init__(self, spec: MapSpec) -> None:
        super().__init__(spec, 1, lambda: 0)
        self._most = (size_of(self.key_type) - 4) * 8

    def _exact(self, key: bytes) -> bytes | None:
        """The key without the bits behind its prefix; None where it is longer than an address."""
        length = int.from_bytes(key[:4], "little")
        if length > self._most:
            return None
        rest = self._most - length
        return key[:4] + (int.from_bytes(key[4:], "big") >> rest << rest).to_bytes(self._most // 8, "big")

    def held(self, key: bytes) -> list[bytearray] | None:
        return self.entries.get(self._exact(key) or b"")

    def seen(self, key: bytes) -> list[bytearray] | None:
        """The value of the longest prefix that the key lies in."""
        for length in range(min(int.from_bytes(key[:4], "little"), self._most), -1, -1):
            found = self.held(length.to_bytes(4, "little") + key[4:])
            if found is not None:
                return found
        return None

    def find(self, key: bytes) -> bytearray | None:
        found = self.seen(key)
        return None if found is None else found[0]

    def put(self, key: bytes, value: bytes, flags: int = 0) -> int:
        exact = self._exact(key)
        if exact is None:
            return -EINVAL
        if exact in self.entries and not flags & 1:
            self.entries[exact][0][:] = value
            return 0
        return super().put(exact, value, flags)

    def remove(self, key: bytes) -> int:
        exact = self._exact(key)
        return -EINVAL if exact is None else super().remove(exact)


class Items:
    """A queue or a stack. `items` are those that it holds, the next one first."""

    def __init__(self, spec: MapSpec) -> None:
        assert spec.value is not None
        self.spec = spec
        self.value_type = spec.value
        self.items: list[bytes] = []

    def add(self, item: bytes, flags: int = 0) -> int:
        """bpf_map_push_elem: 0, or -E2BIG where it is full and the oldest item is to stay."""
        lifo = self.spec.kind.name == "STACK"
        if len(self.items) >= self.spec.max_entries:
            if not flags & EXIST:
                return -E2BIG
            del self.items[-1 if lifo else 0]
        self.items.insert(0 if lifo else len(self.items), item)
        return 0

    def next(self, keeps: bool) -> bytes | None:
        """bpf_map_peek_elem, bpf_map_pop_elem."""
        if not self.items:
            return None
        return self.items[0] if keeps else self.items.pop(0)

    # what programs do

    def push(self, item: Any, flags: int) -> bool:
        return self.add(to_bytes(self.value_type, item), flags) == 0

    def take(self, keeps: bool) -> Any:
        """The number, or the place of a copy of the aggregate; None where there is nothing."""
        found = self.next(keeps)
        if found is None:
            return None
        ref = Ref(bytearray(found), 0, self.value_type)
        return ref if is_aggregate(self.value_type) else scalar_of(self.value_type).load(ref)


class Filter:
    """A bloom filter that is never wrong: it keeps what was added."""

    def __init__(self, spec: MapSpec) -> None:
        assert spec.value is not None
        self.spec = spec
        self.value_type = spec.value
        self.items: set[bytes] = set()

    def add(self, item: bytes, flags: int = 0) -> int:
        self.items.add(item)
        return 0

    def push(self, item: Any, flags: int) -> bool:
        return self.add(to_bytes(self.value_type, item)) == 0

    def has(self, item: Any) -> bool:
        return to_bytes(self.value_type, item) in self.items


class Tables:
    """A map of maps: tables by the bytes of their keys."""

    def __init__(self, spec: MapSpec) -> None:
        self.spec = spec
        self.key_type = spec.key or U32
        self.tables: dict[bytes, Any] = {}

    # what programs do

    def get(self, key: Any) -> Any:
        return self.tables.get(to_bytes(self.key_type, key))

    def has(self, key: Any) -> bool:
        return self.get(key) is not None


class Slots:
    """An array of cgroups: their numbers by slot."""

    def __init__(self, spec: MapSpec) -> None:
        self.spec = spec
        self.slots: dict[int, int] = {}

    def holds(self, index: int, cgroup: int) -> int:
        """bpf_current_task_under_cgroup: 1, 0, or a negative error where the slot is empty or there is none."""
        if index >= self.spec.max_entries:
            return -E2BIG
        return int(self.slots[index] == cgroup) if index in self.slots else -EAGAIN


class Storage(Table):
    """A local storage: its values go by the addresses of what they belong to; NULL has none.

    A socket is told by the bytearray that a run was given for it. The context of a program that is given a socket
    itself counts as one and the same.
    """

    def __init__(self, spec: MapSpec) -> None:
        super().__init__(replace(spec, key=U64, max_entries=1 << 64), 1, lambda: 0)
        self._owners: dict[int, Any] = {}  # kept, so that no other gets the number

    def _key(self, key: Any) -> bytes:
        if not isinstance(key, Ref):
            return super()._key(key)
        if key.type is None:
            return super()._key(_CONTEXT)
        self._owners[id(key.memory)] = key.memory
        return super()._key(id(key.memory))

    def find(self, key: bytes) -> bytearray | None:
        return super().find(key) if any(key) else None

    def put(self, key: bytes, value: bytes, flags: int = 0) -> int:
        return super().put(key, value, flags) if any(key) else -EINVAL


def _arena(spec: MapSpec) -> Any:
    from pybpf.simulator.arenas import Pages

    return Pages(spec)


TABLES: dict[str, Callable[[MapSpec], Any]] = {
    "arena": _arena,
    "maps": Tables,
    "storage": Storage,
    "trie": Trie,
    "queue": Items,
    "slots": Slots,
    "bloom": Filter,
    "perf": PerfRing,
    "commands": Commands,
    "stacks": Stacks,
}
