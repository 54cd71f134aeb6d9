"""Maps with keys: hash maps, arrays, and the trie of prefixes.

To a type checker a map is a MutableMapping[K, V].
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.types import U32, StructType
from pybpf.stdlib.mapkinds import KINDS, MAX_PREFIX
from pybpf.stdlib.maps.base import Declaration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from typing import TypeVar

    from pybpf.compiler.schema.types import Type

    K = TypeVar("K")
    V = TypeVar("V")

__all__ = ["ArrayMap", "HashMap", "LpmTrie", "LruHash", "LruPerCpuHash", "Map", "PerCpuArray", "PerCpuHash"]


if TYPE_CHECKING:

    class Map(Declaration, MutableMapping[K, V]):
        """Any keyed map."""

        def __getitem__(self, key: K, /) -> V: ...
        def __setitem__(self, key: K, value: V, /) -> None: ...
        def __delitem__(self, key: K, /) -> None: ...
        def __iter__(self) -> Iterator[K]: ...
        def __len__(self) -> int: ...
        def setdefault(self, key: K, default: V, /) -> V | None:  # type: ignore[override]
            """The entry, made from `default` if it is new; None where the map is full."""

        def insert(self, key: K, value: V, /, *, lock: bool = False) -> bool:
            """Set a key that is not there yet (BPF_NOEXIST); False where it is, or the map is full."""
            ...

        def replace(self, key: K, value: V, /, *, lock: bool = False) -> bool:
            """Set a key that is there (BPF_EXIST); False where it is not."""
            ...

        def set(self, key: K, value: V, /, *, lock: bool = False) -> bool:
            """Set a key (BPF_ANY); False where the map is full. `lock` holds the value's SpinLock (BPF_F_LOCK)."""
            ...

else:

    class Map(Declaration):
        """A keyed map. Its contents are those of the running simulation; see Declaration._live."""

        __hash__ = object.__hash__

        def __getitem__(self, key):
            return self._live()[key]

        def __setitem__(self, key, value):
            self._live()[key] = value

        def __delitem__(self, key):
            del self._live()[key]

        def __contains__(self, key):
            return key in self._live()

        def __iter__(self):
            return iter(self._live())

        def __len__(self):
            return len(self._live())

        def get(self, key, default=None):
            return self._live().get(key, default)

        def pop(self, key, *default):
            return self._live().pop(key, *default)

        def popitem(self):
            return self._live().popitem()

        def setdefault(self, key, default):
            return self._live().setdefault(key, default)

        def insert(self, key, value, *, lock=False):
            return self._live().insert(key, value)

        def replace(self, key, value, *, lock=False):
            return self._live().replace(key, value)

        def set(self, key, value, *, lock=False):
            return self._live().set(key, value)

        def update(self, *items, **more):
            self._live().update(*items, **more)

        def items(self):
            return self._live().items()

        def keys(self):
            return self._live().keys()

        def values(self):
            return self._live().values()

        def clear(self):
            self._live().clear()


class HashMap(Map["K", "V"]):
    """`HashMap[K, V](max_entries=n)`: BPF_MAP_TYPE_HASH."""

    kind = KINDS["HASH"]


class LruHash(Map["K", "V"]):
    """`LruHash[K, V](max_entries=n)`: BPF_MAP_TYPE_LRU_HASH; the entry longest unused makes room for a new one."""

    kind = KINDS["LRU_HASH"]


class PerCpuHash(Map["K", "V"]):
    """`PerCpuHash[K, V](max_entries=n)`: BPF_MAP_TYPE_PERCPU_HASH; each CPU has its own value of a key."""

    kind = KINDS["PERCPU_HASH"]


class ArrayMap(Map["int", "V"]):
    """`ArrayMap[V](n)`: BPF_MAP_TYPE_ARRAY, slots 0 to n - 1, all zero to begin with."""

    kind = KINDS["ARRAY"]
    _parameters = ("value",)
    _example = "ArrayMap[u64](16)"


class PerCpuArray(Map["int", "V"]):
    """`PerCpuArray[V](n)`: BPF_MAP_TYPE_PERCPU_ARRAY; each CPU has its own slots."""

    kind = KINDS["PERCPU_ARRAY"]
    _parameters = ("value",)
    _example = "PerCpuArray[u64](16)"


class LruPerCpuHash(Map["K", "V"]):
    """`LruPerCpuHash[K, V](max_entries=n)`: BPF_MAP_TYPE_LRU_PERCPU_HASH; each CPU has its own value of a key, and
    the entry longest unused makes room for a new one.
    """

    kind = KINDS["LRU_PERCPU_HASH"]


class LpmTrie(Map["K", "V"]):
    """`LpmTrie[Prefix, V](max_entries=n)`: BPF_MAP_TYPE_LPM_TRIE, where a lookup finds the longest prefix that matches.

    The key is a Struct that begins with a u32, the prefix's length in bits; what follows, 1 to 256 bytes in network
    order, is the address. `get` and `in` find the longest stored prefix that the key lies in, so a lookup of one
    address gives its whole width as the length; `del`, `insert` and `replace` mean exactly the key's prefix.
    BPF_F_NO_PREALLOC, which the kernel insists on, is set.

        class Prefix(Struct):
            bits: u32
            addr: be32
    """

    kind = KINDS["LPM_TRIE"]
    _example = "LpmTrie[Prefix, u32](max_entries=1024)"

    def _flags(self, words: list[str]) -> int:
        return super()._flags(["no_prealloc", *[word for word in words if word != "no_prealloc"]])

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        key, value = super()._resolve(name)
        lines = ("class Prefix(Struct):", "    bits: u32", "    addr: be32")
        fields = key.fields if isinstance(key, StructType) and not key.union else ()
        if not fields or fields[0].type != U32 or fields[0].bits or fields[0].offset:
            raise DeclarationTypeError(
                f"map {name}: the key of an LpmTrie is a Struct that begins with a u32, the length of the prefix, "
                f"not {key}",
                help="declare it as:",
                lines=lines,
            )
        assert isinstance(key, StructType)
        if not 0 < key.size - 4 <= MAX_PREFIX:
            raise DeclarationValueError(
                f"map {name}: {key.size - 4} bytes follow the prefix's length, but the kernel takes 1 to {MAX_PREFIX}",
                help="give the address behind the length:",
                lines=lines,
            )
        return key, value
