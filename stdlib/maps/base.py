"""What all map declarations share: types, checks, flags, the spec, and the seam to a running simulation."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import MapSpec
from pybpf.compiler.schema.types import U32, OptionalType, size_of
from pybpf.stdlib.mapkinds import FLAGS, MAX_ENTRIES, MAX_KEY, MAX_PERCPU_VALUE, MAX_VALUE
from pybpf.stdlib.naming import check_call, check_symbol, declared_here, spelled, symbol_of
from pybpf.stdlib.opaque import check_opaque
from pybpf.stdlib.types import instead, type_of, why_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from pybpf.compiler.schema.specs import MapKind
    from pybpf.compiler.schema.types import Type

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["Declaration", "in_program"]


def in_program(method: F) -> F:
    """A method of a map's class that programs call: it is written in the language, and inlined there."""
    method.__bpf_language__ = True  # type: ignore[attr-defined]
    return method


class Declaration:
    """What all declarations share: the types, the checks, the spec, and the seam to a running simulation.

    `pin=True` puts the map into the bpf file system under its name, where the next load finds it. The flags are the
    kernel's, by name (`mapkinds.FLAGS`); which of them a type of map takes is in its row of `mapkinds.KINDS`.
    """

    kind: MapKind
    _parameters: tuple[str, ...] = ("key", "value")
    _example = "HashMap[u32, u64](max_entries=1024)"
    _types: tuple[object, ...] = ()  # what the class was subscripted with
    __bpf_declares__ = "a map"  # calling the class makes a declaration, which a program can't

    if not TYPE_CHECKING:  # to a checker the classes are generic ones

        def __class_getitem__(cls, given):
            """The same class with its types; itself for names of type variables, as in `class A(Map["K", "V"])`."""
            types = given if isinstance(given, tuple) else (given,)
            if not cls._parameters:
                raise DeclarationTypeError(f"{cls.__name__} takes no types", help="write:", lines=(cls._example,))
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
            if cls._parameters and not cls._types:
                raise DeclarationTypeError(f"{cls.__name__} needs its types", help="write:", lines=(cls._example,))
            check_call(cls.__init__, cls.__name__, given, options, cls._example)
            return object.__new__(cls)

    def __init__(
        self, max_entries: int, *, name: str = "", flags: int = 0, pin: bool = False, no_prealloc: bool = False,
        no_common_lru: bool = False, numa_node: int | None = None, rdonly: bool = False, wronly: bool = False,
        rdonly_prog: bool = False, wronly_prog: bool = False, mmapable: bool = False,
    ) -> None:  # fmt: skip
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
        self.pin = pin
        self.numa_node = numa_node
        given = {"no_prealloc": no_prealloc, "no_common_lru": no_common_lru, "numa_node": numa_node is not None,
                 "rdonly": rdonly, "wronly": wronly, "rdonly_prog": rdonly_prog, "wronly_prog": wronly_prog,
                 "mmapable": mmapable}  # fmt: skip
        self._needs: tuple[tuple[str, str], ...] = ()
        self.flags = flags | self._flags([word for word, wanted in given.items() if wanted])
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
                name, self.kind, key, value, self.max_entries, flags=self.flags, pinning=int(self.pin),
                numa_node=self.numa_node, needs=self._needs,
            )  # fmt: skip
        return self._spec

    def _flags(self, words: list[str]) -> int:
        """The bits of flags by name. Raises DeclarationValueError for one that this type of map does not take."""
        bits = 0
        for word in words:
            if word not in self.kind.flags.split():
                known = self.kind.flags.replace(" ", ", ")
                raise DeclarationValueError(
                    f"{type(self).__name__} takes no {word}: the kernel has it for other types of maps",
                    help=f"leave it out; its flags are {known}" if known else "leave it out",
                )
            bit, since = FLAGS[word]
            bits |= bit
            self._needs += ((f"`{word}`", since),)
        if bits & FLAGS["rdonly"][0] and bits & FLAGS["wronly"][0]:
            raise DeclarationValueError(
                f"{type(self).__name__}: rdonly and wronly exclude each other", help="leave out one of them"
            )
        if bits & FLAGS["rdonly_prog"][0] and bits & FLAGS["wronly_prog"][0]:
            raise DeclarationValueError(
                f"{type(self).__name__}: rdonly_prog and wronly_prog exclude each other", help="leave out one of them"
            )
        return bits

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
        if isinstance(kind, OptionalType):
            raise DeclarationTypeError(f"map {name}, its {role}: a pointer by itself", help="put it into a Struct")
        return kind

    def __repr__(self) -> str:
        types = ", ".join([getattr(item, "__name__", repr(item)) for item in self._types])
        types = f"[{types}]" if types else ""
        return f"<{type(self).__name__}{types} {self._name or spelled(self, self._home) or 'without a name'}>"

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
