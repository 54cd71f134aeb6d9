"""Maps of maps: a lookup gives a map, which programs use like any other, and user space exchanges as a whole.

    Table = HashMap[u32, u64]
    per_cpu = ArrayOfMaps[Table](8, inner=Table(1024))
    tenants = HashOfMaps[u32, Table](max_entries=100, inner=Table(1024))

    table = tenants.get(7)
    if table is not None:
        table[key] += 1

    per_cpu[0] = first            # at module level: filled when the object is loaded

`inner` is a template: what all the maps in it are like. At run time: `obj[tenants][7] = obj[tenants].new()`.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.types import U32
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.maps.base import Declaration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, TypeVar

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type

    K = TypeVar("K")
    M = TypeVar("M", bound=Declaration)

    class _Maps(Declaration, Generic[K, M]):
        """To a type checker no mapping: `obj[...]` has maps of user space in it, not declarations."""

        def get(self, key: K, /) -> M | None:
            """The map under a key; None where there is none."""

        def __contains__(self, key: object, /) -> bool: ...

else:
    from pybpf.stdlib.maps.keyed import Map as _Maps

__all__ = ["ArrayOfMaps", "HashOfMaps"]



class _Nested(_Maps["K", "M"]):
    """What both have in common."""

    def __init__(
        self, max_entries: int, *, inner: M, name: str = "", flags: int = 0, pin: bool = False,
        numa_node: int | None = None, no_prealloc: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            max_entries, name=name, flags=flags, pin=pin, numa_node=numa_node, no_prealloc=no_prealloc
        )  # fmt: skip
        self.inner = inner
        self._inners: dict[int, Declaration] = {}

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        roles = dict(zip(self._parameters, self._types))
        key = self._one(name, "key", roles["key"]) if "key" in roles else U32
        wanted: Any = roles["value"]
        inner: Any = self.inner
        if not (isinstance(wanted, type) and issubclass(wanted, Declaration)):
            raise DeclarationTypeError(
                f"map {name}: holds maps, and {wanted!r} is no type of map", help="write:", lines=(self._example,)
            )
        plain: Any = wanted.__mro__[1]  # the class without its types
        if issubclass(wanted, _Nested) or not isinstance(inner, plain) or inner._types != wanted._types:
            raise DeclarationTypeError(
                f"map {name}: its maps are to be {_spelled(wanted)}, and inner= is {_spelled(type(inner))}",
                help="give a map of that type as a template:",
                lines=(self._example,),
            )
        return key, U32

    def spec(self, fallback: str = "") -> MapSpec:
        known = self._spec is not None
        made = super().spec(fallback)
        if not known:
            made.inner = self._template(made.name)
            made.inners = self._inners
        return made

    def _template(self, name: str) -> MapSpec:
        """What the maps in it are like: a spec of its own, as the template may be a map of the object as well."""
        from pybpf.compiler.schema.record import replace

        try:
            spec = replace(self.inner.spec(f"{name}_inner"), name=f"{name}_inner", pinning=0)
        except DeclarationError as error:
            error.site = error.site or self._site
            raise
        if spec.kind.family not in ("hash", "array", "trie", "queue", "bloom"):
            self._spec = None
            raise DeclarationTypeError(
                f"map {name}: maps of type {spec.kind.name} can't be looked up in a map of maps",
                help="hash maps, arrays, tries, queues and stacks can",
            )
        return spec

    def __setitem__(self, key: K, value: M, /) -> None:
        """What is in it when the object is loaded. In a simulation: what is in it from now on."""
        from pybpf.stdlib.simulation import active

        if active() is not None:
            self._live()[key] = value
            return
        if isinstance(key, bool) or not isinstance(key, int):
            raise DeclarationTypeError(f"{self!r}: maps are put in from the start by number, not by {key!r}")
        if not 0 <= key < self.max_entries:
            raise DeclarationValueError(f"{self!r}: there is no slot {int(key)}; it has {self.max_entries}, from 0 on")
        roles = dict(zip(self._parameters, self._types))
        if "key" in roles and getattr(self._one("", "key", roles["key"]), "bits", 0) != 32:
            raise DeclarationTypeError(
                f"{self!r}: only keys of 32 bits can be filled from the start", help="fill it through obj[...]"
            )
        if not isinstance(value, type(self.inner)) and type(value).__mro__[1] is not type(self.inner).__mro__[1]:
            raise DeclarationTypeError(f"{self!r}: takes {_spelled(type(self.inner))}, not {value!r}")
        if value._types != self.inner._types:
            raise DeclarationTypeError(f"{self!r}: takes {_spelled(type(self.inner))}, not {value!r}")
        self._inners[int(key)] = value


def _spelled(kind: Any) -> str:
    types = ", ".join([getattr(item, "__name__", repr(item)) for item in getattr(kind, "_types", ())])
    return f"{kind.__name__}[{types}]" if types else str(getattr(kind, "__name__", kind))


class ArrayOfMaps(_Nested["int", "M"]):
    """`ArrayOfMaps[HashMap[u32, u64]](8, inner=HashMap[u32, u64](64))`: BPF_MAP_TYPE_ARRAY_OF_MAPS."""

    kind = KINDS["ARRAY_OF_MAPS"]
    _parameters = ("value",)
    _example = "ArrayOfMaps[HashMap[u32, u64]](8, inner=HashMap[u32, u64](64))"


class HashOfMaps(_Nested["K", "M"]):
    """`HashOfMaps[u32, HashMap[u32, u64]](max_entries=8, inner=HashMap[u32, u64](64))`: BPF_MAP_TYPE_HASH_OF_MAPS."""

    kind = KINDS["HASH_OF_MAPS"]
    _example = "HashOfMaps[u32, HashMap[u32, u64]](max_entries=8, inner=HashMap[u32, u64](64))"
