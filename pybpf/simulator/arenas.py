"""Arenas of a simulation: memory at addresses of this process, which nothing else has.

A reference is a `Ref` into the arena's memory; a pointer in memory is the address. Views are those of loaded arenas
(runtime/arenamemory.py), over this memory.
"""

from __future__ import annotations

import ctypes
import mmap
import weakref
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.types import OptionalType, PtrType, align_of, is_aggregate, size_of
from pybpf.runtime.arenamemory import ArenaMemory, address_of, find
from pybpf.simulator.errors import SimulationError
from pybpf.simulator.memory import Ref

if TYPE_CHECKING:
    from pybpf.compiler.schema.specs import GlobalSpec, MapSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.simulator.memory import Place

__all__ = ["ArenaView", "Pages", "Pointer", "same_place"]

_PAGE = 4096


class _Memory(ArenaMemory):
    """An arena's memory, and `raw`, which references of programs lead into."""

    def __init__(self, name: str, size: int) -> None:
        self.raw: Any = mmap.mmap(-1, size)
        start = ctypes.addressof(ctypes.c_ubyte.from_buffer(self.raw))
        super().__init__(name, start, self.raw)
        _known[id(self.raw)] = self

    def close(self) -> None:
        _known.pop(id(self.raw), None)
        super().close()


_known: dict[int, _Memory] = {}  # by the identity of `raw`


class Pages:
    """An arena: its pages, and which of them are given out. Variables come first, as they are met."""

    def __init__(self, spec: MapSpec) -> None:
        self.spec = spec
        self.memory = _Memory(spec.name, spec.max_entries * _PAGE)
        weakref.finalize(self, self.memory.close)
        self._used = [False] * spec.max_entries
        self._end = 0  # of the variables, in bytes

    def variable(self, spec: GlobalSpec, data: bytes) -> Ref:
        """The place of a variable that was not met before."""
        at = self._end + -self._end % align_of(spec.type)
        self._end = at + len(data)
        for page in range(at // _PAGE, (self._end - 1) // _PAGE + 1):
            if self._used[page] and at < page * _PAGE:
                raise SimulationError(
                    f"the arena {self.spec.name!r} has no room left for the variable {spec.name!r}",
                    "name the variable, as in sim[variable], before the program allocates pages",
                )
            self._used[page] = True
        made = Ref(self.memory.raw, at, spec.type)
        made.write(data)
        return made

    # what programs do

    def alloc(self, pages: int, kind: Type) -> Ref | None:
        first = self.take(pages)
        return None if first is None else Ref(self.memory.raw, first, kind)

    def take(self, pages: int) -> int | None:
        """The offset of the first free pages in a row, all zero from now on; None where there are none."""
        for first in range(len(self._used) - pages + 1):
            if not any(self._used[first : first + pages]):
                self._used[first : first + pages] = [True] * pages
                self.memory.raw[first * _PAGE : (first + pages) * _PAGE] = bytes(pages * _PAGE)
                return first * _PAGE
        return None

    def free(self, place: Ref, pages: int) -> None:
        self.give_back(place.offset, pages)

    def give_back(self, offset: int, pages: int) -> None:
        first = offset // _PAGE
        for page in range(first, min(first + pages, len(self._used))):
            self._used[page] = False
            self.memory.raw[page * _PAGE : (page + 1) * _PAGE] = bytes(_PAGE)

    def address(self, place: Ref | None) -> int:
        return 0 if place is None else _address(place)

    def at(self, address: int, kind: Type) -> Ref | None:
        return _place(address, kind)


def _address(place: Any) -> int:
    memory = _known.get(id(place.memory)) if isinstance(place, Ref) else None
    if memory is None:
        raise SimulationError("a pointer can only lead to an object in an arena")
    address: int = memory.start + place.offset
    return address


def _place(address: int, kind: Type) -> Ref | None:
    if not address:
        return None
    memory = find(address)
    if not isinstance(memory, _Memory):
        raise SimulationError(f"a pointer leads to {address:#x}, which is in no simulated arena")
    return Ref(memory.raw, address - memory.start, kind)


class Pointer:
    """How a pointer lies in memory: as a Scalar."""

    size = 8

    def __init__(self, type: OptionalType) -> None:
        assert isinstance(type.inner, PtrType) and type.inner.pointee is not None
        self.type = type
        self.pointee = type.inner.pointee

    def load(self, place: Place) -> Ref | None:
        return _place(int.from_bytes(place.read(8), "little"), self.pointee)

    def store(self, place: Place, value: Ref | None) -> None:
        place.write(self.encode(value))

    def encode(self, value: Ref | None) -> bytes:
        return (0 if value is None else _address(value)).to_bytes(8, "little")


def same_place(one: Ref | None, other: Ref | None) -> bool:
    """`is` of two references, or None."""
    if one is None or other is None:
        return one is other
    return one.memory is other.memory and one.offset == other.offset


class ArenaView:
    """What `sim[arena]` is: as a loaded one."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self.memory: ArenaMemory = pages.memory
        self.start = pages.memory.start
        self.max_entries = pages.spec.max_entries

    def alloc(self, kind: Any, /, **values: Any) -> Any:
        """A new object of a type, in pages of its own. Raises MapFull."""
        from pybpf.runtime.errors import MapFull

        wanted = _type(kind)
        at = self._pages.take(-(-size_of(wanted) // _PAGE))
        if at is None:
            raise MapFull(f"arena {self._pages.spec.name!r} has no free pages: it has {self.max_entries} in all")
        made = self.memory.view(wanted, self.start + at)
        for name, value in values.items():
            setattr(made, name, value)
        return made

    def free(self, object: Any, /) -> None:
        """Give back the pages that an object lies in."""
        size = size_of(object.__bpf_kind__)
        self._pages.give_back(address_of(object) - self.start, -(-size // _PAGE))

    def address(self, object: Any, /) -> int:
        """Where an object is; 0 for None."""
        return address_of(object)

    def at(self, kind: Any, address: int, /) -> Any:
        """The object of a type at an address; None for 0."""
        return self.memory.view(_type(kind), address) if address else None


def _type(kind: Any) -> Type:
    found = getattr(kind, "__bpf__", None)
    if found is None or not is_aggregate(found):
        raise TypeError(f"an arena holds objects of a Struct or an Array, not {kind!r}")
    made: Type = found
    return made
