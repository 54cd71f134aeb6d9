"""Map declarations: `paths = HashMap[u32, u64](max_entries=10_240)`.

A declaration is a value like any other: `__bpf__` is its MapSpec, whose symbol is the name that the declaration is
assigned to in its module, or `name=`. The kernel's map appears when a program that uses it is loaded, and is then
`obj[paths]`; inside a simulation the declaration itself acts as the map. Anywhere else using one is a RuntimeError.

To a type checker a map is a MutableMapping[K, V], in the program and in user space.
"""

from __future__ import annotations

import sys

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import MapKind, MapSpec
from pybpf.compiler.schema.types import U32, size_of
from pybpf.stdlib.types import type_of, why_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, MutableMapping
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import Any, Generic, TypeVar, overload

    from pybpf.compiler.schema.types import Type

    K = TypeVar("K")
    V = TypeVar("V")
    D = TypeVar("D")

__all__ = [
    "KINDS", "ArrayMap", "HashMap", "LruHash", "Map", "PerCpuArray", "PerCpuHash", "RingBuffer",
]  # fmt: skip

# enum bpf_map_type of include/uapi/linux/bpf.h; `since` from the kernel's history.
KINDS: dict[str, MapKind] = {
    kind.name: kind
    for kind in (
        MapKind("HASH", 1, since="3.19"),
        MapKind("ARRAY", 2, indexed=True, since="3.19"),
        MapKind("PERCPU_HASH", 5, percpu=True, since="4.6"),
        MapKind("PERCPU_ARRAY", 6, indexed=True, percpu=True, since="4.6"),
        MapKind("LRU_HASH", 9, since="4.10"),
        MapKind("RINGBUF", 27, keyed=False, since="5.8"),
    )
}

_MAX_KEY = 512  # MAX_BPF_STACK, kernel/bpf/hashtab.c htab_map_alloc_check
_MAX_VALUE = 1 << 22  # KMALLOC_MAX_SIZE on x86-64; per-CPU values: PCPU_MIN_UNIT_SIZE
_MAX_PERCPU_VALUE = 32 << 10
_PAGE = 4096
_C_WORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while".split()
)


def symbol_of(declaration: object, namespace: dict[str, Any], what: str, fallback: str = "") -> str:
    """The name under which a module keeps a declaration. `fallback` serves where it keeps none."""
    for name, value in namespace.items():
        if value is declaration:
            return name
    if fallback:
        return fallback
    raise DeclarationValueError(
        f"this {what} has no name", help=f'assign it to a module variable, or give it one: name="my_{what}"'
    )


def check_symbol(name: str, what: str) -> str:
    """A symbol must be an identifier in C too, since skeletons and headers are generated from it."""
    if not (name.isascii() and name.isidentifier()) or name in _C_WORDS:
        raise DeclarationValueError(
            f"{name!r} cannot name a {what}", help="choose a plain C identifier that is no C keyword"
        )
    return name


def caller() -> FrameType:
    """The nearest frame outside this package: where the user's declaration stands."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("pybpf.stdlib"):
        frame = frame.f_back
    assert frame is not None
    return frame


class _Declaration:
    """What all map declarations share: the spec, and the seam through which a simulation gives it contents."""

    kind: MapKind
    key: Type | None = None
    value: Type | None = None

    def __init__(
        self,
        max_entries: int,
        *,
        name: str = "",
        flags: int = 0,
        pin: bool = False,
    ) -> None:
        if not hasattr(type(self), "_bound"):
            raise DeclarationTypeError(f"{type(self).__name__} needs its types", help=f"as in {self._example}")
        self.max_entries = self._check_entries(max_entries)
        self.flags = flags
        self.pin = pin
        self._name = check_symbol(name, "map") if name else ""
        self._home = caller().f_globals
        self._spec: MapSpec | None = None

    _example = "HashMap[u32, u64](max_entries=1024)"

    def __class_getitem__(cls, params: object) -> type[_Declaration]:
        """The declaration class with its key and value types."""
        if "_bound" in cls.__dict__ or any("_bound" in base.__dict__ for base in cls.__mro__):
            raise DeclarationTypeError(f"{cls.__name__} has its types already")
        given = params if isinstance(params, tuple) else (params,)
        names = cls._parameters
        if len(given) != len(names):
            raise DeclarationTypeError(
                f"{cls.__name__} takes {len(names)} type{'s' if names[1:] else ''} ({', '.join(names)}), not {len(given)}",
                help=f"as in {cls._example}",
            )
        bound: dict[str, object] = {"_bound": given, "__module__": cls.__module__, "__doc__": cls.__doc__}
        return type(cls.__name__, (cls,), bound)

    _parameters: tuple[str, ...] = ("key", "value")

    def _check_entries(self, count: object) -> int:
        label = type(self).__name__
        if type(count) is bool or not isinstance(count, int):
            raise DeclarationTypeError(f"{label}: max_entries must be an int, not {count!r}")
        if not 0 < count < 1 << 32:
            raise DeclarationValueError(f"{label}: max_entries must lie between 1 and 4294967295, not {count}")
        return int(count)

    @property
    def __bpf__(self) -> MapSpec:
        return self.spec()

    def spec(self, fallback: str = "") -> MapSpec:
        """The spec; `fallback` is the symbol of a declaration that no module variable holds."""
        if self._spec is None:
            name = self._name or check_symbol(symbol_of(self, self._home, "map", fallback), "map")
            key, value = self._types(name)
            self._spec = MapSpec(
                name=name, kind=self.kind, key=key, value=value, max_entries=self.max_entries, flags=self.flags,
                pinning=int(self.pin),
            )  # fmt: skip
        return self._spec

    def _types(self, name: str) -> tuple[Type | None, Type | None]:
        given: tuple[object, ...] = type(self)._bound  # type: ignore[attr-defined]
        roles = dict(zip(type(self)._parameters, given))
        key = self._one(name, "key", roles["key"]) if "key" in roles else U32
        value = self._one(name, "value", roles["value"])
        if size_of(key) > _MAX_KEY:
            raise DeclarationTypeError(f"map {name}: a key of {size_of(key)} bytes; the kernel takes at most {_MAX_KEY}")
        limit = _MAX_PERCPU_VALUE if self.kind.percpu else _MAX_VALUE
        if size_of(value) > limit:
            raise DeclarationTypeError(f"map {name}: a value of {size_of(value)} bytes; the kernel takes at most {limit}")
        return key, value

    @staticmethod
    def _one(name: str, role: str, given: object) -> Type:
        kind = type_of(given)
        if kind is None:
            raise DeclarationTypeError(f"map {name}: the {role}: {why_not(given)}")
        return kind

    def __repr__(self) -> str:
        given = ", ".join([getattr(item, "__name__", repr(item)) for item in getattr(type(self), "_bound", ())])
        return f"<{type(self).__name__}[{given}] {self._name or _name_or(self, self._home)}>"

    def _live(self) -> Any:
        """The map behind the declaration while a simulation runs; a RuntimeError otherwise."""
        from pybpf.stdlib.simulation import active

        runtime = active()
        if runtime is None:
            name = self._name or _name_or(self, self._home)
            raise RuntimeError(
                f"`{name}` is a declaration and holds nothing by itself: use obj[{name}] of a loaded object, "
                f"or simulate() a program that uses it"
            )
        return runtime.map(self)


def _name_or(declaration: object, namespace: dict[str, Any]) -> str:
    for name, value in namespace.items():
        if value is declaration:
            return name
    return "this map"


if TYPE_CHECKING:

    class Map(MutableMapping[K, V]):
        """Any keyed map."""

        def __init__(
            self, max_entries: int, *, name: str = "", flags: int = 0, pin: bool = False
        ) -> None: ...
        @property
        def __bpf__(self) -> MapSpec: ...
        def spec(self, fallback: str = "") -> MapSpec: ...
        def __getitem__(self, key: K, /) -> V: ...
        def __setitem__(self, key: K, value: V, /) -> None: ...
        def __delitem__(self, key: K, /) -> None: ...
        def __iter__(self) -> Iterator[K]: ...
        def __len__(self) -> int: ...

    class HashMap(Map[K, V]):
        """`HashMap[K, V](max_entries=n)`: BPF_MAP_TYPE_HASH."""

    class LruHash(Map[K, V]):
        """`LruHash[K, V](max_entries=n)`: BPF_MAP_TYPE_LRU_HASH; the least recently used entry makes room for a new one."""

    class PerCpuHash(Map[K, V]):
        """`PerCpuHash[K, V](max_entries=n)`: BPF_MAP_TYPE_PERCPU_HASH; each CPU has its own value of a key."""

    class ArrayMap(Map[int, V], Generic[V]):
        """`ArrayMap[V](n)`: BPF_MAP_TYPE_ARRAY, slots 0 to n - 1, all zero to begin with."""

    class PerCpuArray(Map[int, V], Generic[V]):
        """`PerCpuArray[V](n)`: BPF_MAP_TYPE_PERCPU_ARRAY; each CPU has its own slots."""

    class RingBuffer(Generic[V]):
        """`RingBuffer[Event](bytes)`: BPF_MAP_TYPE_RINGBUF, read in user space in the order of submission."""

        def __init__(self, max_entries: int, *, name: str = "", flags: int = 0, pin: bool = False) -> None: ...
        @property
        def __bpf__(self) -> MapSpec: ...
        def spec(self, fallback: str = "") -> MapSpec: ...
        def emit(self, event: V, /) -> bool:
            """In the program: submit an event, built in place. False when the buffer is full."""
            ...

        def reserve(self) -> AbstractContextManager[V | None]:
            """In the program: `with events.reserve() as e:` gives a record to fill in, or None when the buffer is full."""
            ...

        def __iter__(self) -> Iterator[V]: ...
        def __aiter__(self) -> AsyncIterator[V]: ...
        def poll(self, timeout: float | None = None) -> list[V]:
            """In user space: the events there are, waiting up to `timeout` seconds for the first."""
            ...

else:

    class Map(_Declaration):
        """A keyed map; its contents are those of the running simulation."""

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

        def __bool__(self):
            return bool(self._live())

        def get(self, key, default=None):
            return self._live().get(key, default)

        def pop(self, key, *default):
            return self._live().pop(key, *default)

        def setdefault(self, key, default=None):
            return self._live().setdefault(key, default)

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

        def popitem(self):
            return self._live().popitem()

    class HashMap(Map):
        """`HashMap[K, V](max_entries=n)`: BPF_MAP_TYPE_HASH."""

        kind = KINDS["HASH"]

    class LruHash(Map):
        """`LruHash[K, V](max_entries=n)`: BPF_MAP_TYPE_LRU_HASH; the least recently used entry makes room for a new one."""

        kind = KINDS["LRU_HASH"]

    class PerCpuHash(Map):
        """`PerCpuHash[K, V](max_entries=n)`: BPF_MAP_TYPE_PERCPU_HASH; each CPU has its own value of a key."""

        kind = KINDS["PERCPU_HASH"]

    class ArrayMap(Map):
        """`ArrayMap[V](n)`: BPF_MAP_TYPE_ARRAY, slots 0 to n - 1, all zero to begin with."""

        kind = KINDS["ARRAY"]
        _parameters = ("value",)
        _example = "ArrayMap[u64](16)"

    class PerCpuArray(Map):
        """`PerCpuArray[V](n)`: BPF_MAP_TYPE_PERCPU_ARRAY; each CPU has its own slots."""

        kind = KINDS["PERCPU_ARRAY"]
        _parameters = ("value",)
        _example = "PerCpuArray[u64](16)"

    class RingBuffer(_Declaration):
        """`RingBuffer[Event](bytes)`: BPF_MAP_TYPE_RINGBUF, read in user space in the order of submission."""

        kind = KINDS["RINGBUF"]
        _parameters = ("value",)
        _example = "RingBuffer[Event](256 * 1024)"

        def _check_entries(self, count):
            size = super()._check_entries(count)
            if size < _PAGE or size & size - 1:
                below = max(_PAGE, 1 << size.bit_length() - 1)
                above = max(_PAGE, 1 << size.bit_length())
                near = f"{below}" if below == above or size < _PAGE else f"{below} or {above}"
                raise DeclarationValueError(
                    f"RingBuffer: {size} bytes; the size must be a power of two and a multiple of the page size, {_PAGE}",
                    help=f"the nearest good size is {near}" if near.isdigit() else f"the nearest good sizes are {near}",
                )
            return size

        def _types(self, name):
            return None, self._one(name, "event", type(self)._bound[0])

        def emit(self, event):
            return self._live().emit(event)

        def reserve(self):
            return self._live().reserve()

        def __iter__(self):
            return iter(self._live())

        def __aiter__(self):
            return self._live().__aiter__()

        def poll(self, timeout=None):
            return self._live().poll(timeout)
