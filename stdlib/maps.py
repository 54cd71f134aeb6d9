"""Map declarations: `paths = HashMap[u32, u64](max_entries=10_240)`.

A declaration is a value like any other: `__bpf__` is its MapSpec, whose symbol is the name that the declaration is
assigned to in its module, or `name=`. The kernel's map appears when a program that uses it is loaded, and is then
`obj[paths]`; inside a simulation the declaration itself acts as the map. Anywhere else using one is a RuntimeError.

To a type checker a map is a MutableMapping[K, V].
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import U32, size_of
from pybpf.stdlib.mapkinds import KINDS, MAX_ENTRIES, MAX_KEY, MAX_PERCPU_VALUE, MAX_VALUE, PAGE, RECORD_HEADER
from pybpf.stdlib.naming import check_call, check_symbol, declared_here, spelled, symbol_of
from pybpf.stdlib.opaque import check_opaque
from pybpf.stdlib.types import instead, type_of, why_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from contextlib import AbstractContextManager
    from typing import Any, Generic, TypeVar

    from pybpf.compiler.schema.specs import MapKind
    from pybpf.compiler.schema.types import Type

    K = TypeVar("K")
    V = TypeVar("V")

__all__ = ["ArrayMap", "HashMap", "LruHash", "Map", "PerCpuArray", "PerCpuHash", "RingBuffer"]


class Declaration:
    """What all declarations share: the types, the checks, the spec, and the seam to a running simulation."""

    kind: MapKind
    _parameters: tuple[str, ...] = ("key", "value")
    _example = "HashMap[u32, u64](max_entries=1024)"
    _types: tuple[object, ...] = ()  # what the class was subscripted with
    __bpf_declares__ = "a map"  # calling the class makes a declaration, which a program can't

    if not TYPE_CHECKING:  # to a checker the classes are generic ones

        def __class_getitem__(cls, given):
            """The same class with its types; itself for names of type variables, as in `class A(Map["K", "V"])`."""
            types = given if isinstance(given, tuple) else (given,)
            if isinstance(types[-1], str):
                return cls
            if cls._types:
                raise DeclarationTypeError(f"{cls.__name__} has its types already")
            if len(types) != len(cls._parameters):
                wanted = " and of a ".join(cls._parameters)
                raise DeclarationTypeError(
                    f"{cls.__name__} takes the type of a {wanted}", help="write:", lines=(cls._example,)
                )
            return type(cls.__name__, (cls,), {"_types": types, "__module__": cls.__module__, "__doc__": cls.__doc__})

        def __new__(cls, *given, **options):
            if not cls._types:
                raise DeclarationTypeError(f"{cls.__name__} needs its types", help="write:", lines=(cls._example,))
            check_call(cls.__init__, cls.__name__, given, options, cls._example)
            return object.__new__(cls)

    def __init__(self, max_entries: int, *, name: str = "", flags: int = 0, pin: bool = False) -> None:
        label = type(self).__name__
        if isinstance(max_entries, bool) or not isinstance(max_entries, int):
            raise DeclarationTypeError(
                f"{label}: max_entries must be an int, not {max_entries!r}", help="write:", lines=(self._example,)
            )
        if not 0 < max_entries <= MAX_ENTRIES:
            raise DeclarationValueError(
                f"{label}: max_entries must lie between 1 and {MAX_ENTRIES}, not {max_entries}",
                help="give the most entries that it will ever hold:",
                lines=(self._example,),
            )
        self.max_entries = int(max_entries)
        self.flags = flags
        self.pin = pin
        self._name = check_symbol(name, "map") if name else ""
        self._home, self._site = declared_here()
        self._spec: MapSpec | None = None

    @property
    def __bpf__(self) -> MapSpec:
        return self.spec()

    def spec(self, fallback: str = "") -> MapSpec:
        """The spec; `fallback` is the symbol of a declaration that no module variable holds. Made once."""
        if self._spec is None:
            try:
                name = self._name or symbol_of(self, self._home, "map", fallback)
                key, value = self._resolve(name)
            except DeclarationError as error:
                error.site = error.site or self._site
                raise
            self._spec = MapSpec(
                name, self.kind, key, value, self.max_entries, flags=self.flags, pinning=int(self.pin)
            )
        return self._spec

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        """The types of keys and values. Raises DeclarationTypeError, which names the map."""
        roles = dict(zip(self._parameters, self._types))
        key = self._one(name, "key", roles["key"]) if "key" in roles else U32
        value = self._one(name, "value", roles["value"])
        check_opaque(f"map {name}", self.kind.name, key, value)
        limit = MAX_PERCPU_VALUE if self.kind.percpu else MAX_VALUE
        for what, kind, most in (("key", key, MAX_KEY), ("value", value, limit)):
            if size_of(kind) > most:
                raise DeclarationTypeError(
                    f"map {name}: a {what} of {size_of(kind)} bytes, but the kernel takes at most {most}",
                    help=_smaller(what, self.kind.percpu),
                )
        return key, value

    def _one(self, name: str, role: str, given: object) -> Type:
        kind = type_of(given)
        if kind is None:
            better = instead(given)
            raise DeclarationTypeError(
                f"map {name}, its {role}: {why_not(given)}",
                help=f"declare the {role} as {better}" if better else "",
            )
        return kind

    def __repr__(self) -> str:
        types = ", ".join([getattr(item, "__name__", repr(item)) for item in self._types])
        return f"<{type(self).__name__}[{types}] {self._name or spelled(self, self._home) or 'without a name'}>"

    def _live(self) -> Any:
        """The map behind the declaration while a simulation runs; a RuntimeError otherwise."""
        from pybpf.stdlib.simulation import active

        runtime = active()
        if runtime is None:
            name = self._name or spelled(self, self._home) or "this map"
            raise RuntimeError(
                f"`{name}` is a declaration and holds nothing by itself: use obj[{name}] of a loaded object, "
                f"or simulate() a program that uses it"
            )
        return runtime.map(self)


def _smaller(what: str, percpu: bool) -> str:
    """What to do about a key or a value that is too large."""
    if what == "key":
        return "make the key a number, such as a hash of it, and keep the whole in the value"
    if percpu:
        return "spread it over several slots, or use a map that is not per CPU"
    return "spread it over several entries"


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

    class _Events(Generic[V]):
        """The type variable of RingBuffer."""

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

    class _Events(Declaration):
        pass


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


class RingBuffer(_Events["V"], Declaration):
    """`RingBuffer[Event](bytes)`: BPF_MAP_TYPE_RINGBUF; `obj[...]` has the events in the order of submission."""

    kind = KINDS["RINGBUF"]
    _parameters = ("value",)
    _example = "RingBuffer[Event](256 * 1024)"

    def __init__(self, max_entries: int, *, name: str = "", flags: int = 0, pin: bool = False) -> None:
        super().__init__(max_entries, name=name, flags=flags, pin=pin)
        size = self.max_entries
        if size < PAGE or size & (size - 1):
            below, above = 1 << (size.bit_length() - 1), 1 << size.bit_length()
            raise DeclarationValueError(
                f"RingBuffer: a size of {size} bytes; it must be a power of two and a multiple of the page, {PAGE}",
                help=f"the nearest good size is {PAGE}" if size < PAGE else f"the nearest are {below} and {above}",
            )

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        event = self._one(name, "event", self._types[0])
        check_opaque(f"map {name}", self.kind.name, None, event)
        # __bpf_ringbuf_reserve refuses what is larger than the buffer, with its header rounded up to 8 bytes
        record = (size_of(event) + RECORD_HEADER + 7) // 8 * 8
        if record > self.max_entries:
            raise DeclarationValueError(
                f"map {name}: an event takes {record} bytes, more than the whole ring buffer of {self.max_entries}",
                help=f"make it larger: at least {1 << (record - 1).bit_length()}, and more to hold several",
            )
        return None, event

    if not TYPE_CHECKING:  # a type checker is to refuse it: events are read from obj[...]

        def __iter__(self):
            return iter(self._live())

    def emit(self, event: V, /) -> bool:
        """In the program: submit an event, built in place. False where the buffer is full."""
        done: bool = self._live().emit(event)
        return done

    def reserve(self) -> AbstractContextManager[V | None]:
        """In the program: `with events.reserve() as e:` gives a record to fill in, None where the buffer is full."""
        record: AbstractContextManager[V | None] = self._live().reserve()
        return record
