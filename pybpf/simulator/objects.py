"""Kernel objects of a simulation: what a test says of a struct, laid out in the simulation's kernel memory.

    me = task_struct(pid=7, comm="cat", real_parent=task_struct(pid=1), mm=None)
    sim.run(switched, prev=me, next=task_struct())

Any object with attributes does (SimpleNamespace), and a dict. Members that are not given are zero, pointers NULL. The
same object is always at the same address; what it says is laid out anew whenever it is handed to a program.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import ArrayType, BytesType, IntType, PtrType, TextType, size_of
from pybpf.simulator.memory import Bits, Ref, scalar_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybpf.compiler.schema.kernel import KernelMember
    from pybpf.compiler.schema.types import Type
    from pybpf.simulator.memory import Spaces

__all__ = ["Objects"]


class Objects:
    """The objects in one memory."""

    def __init__(self, memory: Spaces) -> None:
        self.memory = memory
        self._known: dict[tuple[int, KernelType], tuple[Any, int, bytearray]] = {}
        self._open: set[int] = set()

    def address(self, value: Any, kind: Type | None) -> int:
        """The address of an object of type `kind`: 0 for None, a number as it is; text and bytes are put somewhere."""
        if value is None:
            return 0
        if hasattr(value, "__index__"):
            return int(value.__index__()) & (1 << 64) - 1
        if isinstance(value, (str, bytes, bytearray)):
            return self.memory.put(value)
        if not isinstance(kind, KernelType):
            raise TypeError(f"a pointer to {kind or 'void'} is an address, text or bytes, not {value!r}")
        key = (id(value), kind)
        if key not in self._known:
            data = bytearray(kind.size)
            self._known[key] = value, self.memory.put_buffer(data), data
        _, address, data = self._known[key]
        if address not in self._open:  # it may lead back to itself
            self._open.add(address)
            try:
                data[:] = bytes(len(data))
                self._fill(Ref(data, 0, None), kind, value)
            finally:
                self._open.discard(address)
        return address

    def change(self, address: int, path: list[str | int], value: int) -> None:
        """Let the object at an address say so too, by the names and indices that lead to a member."""
        for held, where, _ in self._known.values():
            if where == address:
                _set(held, path, value)

    def _fill(self, place: Ref, kind: KernelType, value: Any) -> None:
        for name, given in _members(value).items():
            way = kind.find(name)
            if way is None:
                near = get_close_matches(name, [m.name for m in kind.members if m.name], 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise TypeError(f"{kind} has no member {name!r}{hint}")
            outer = place.at(sum([member.offset for member in way[:-1]]), None)
            self._store(outer, way[-1], given)

    def _store(self, place: Ref, member: KernelMember, value: Any) -> None:
        if member.bits:
            Bits(member).store(place, int(value))  # type: ignore[arg-type]
        else:
            self._put(place.at(member.offset, None), member.type, value, member.name)

    def _put(self, place: Ref, kind: Type, value: Any, name: str) -> None:
        if isinstance(kind, KernelType):
            self._fill(place, kind, value)
        elif isinstance(kind, PtrType):
            place.write(self.address(value, kind.pointee).to_bytes(8, "little"))
        elif isinstance(kind, (TextType, BytesType)) or isinstance(value, (str, bytes)):
            data = value.encode() if isinstance(value, str) else bytes(value)
            size = size_of(kind)
            if len(data) > size:
                raise ValueError(f"{name}: {len(data)} bytes do not fit {size}")
            place.write(data.ljust(size, b"\0"))
        elif isinstance(kind, ArrayType):
            if len(value) > kind.length:
                raise ValueError(f"{name}: {len(value)} elements do not fit {kind.length}")
            for index, item in enumerate(value):
                self._put(place.at(index * size_of(kind.element), None), kind.element, item, name)
        else:
            number = int(value)
            base = scalar_of(kind).type
            base = base if isinstance(base, IntType) else IntType(8 * size_of(kind), number < 0)
            if not -(1 << base.bits - 1) <= number < 1 << base.bits:
                raise OverflowError(f"{name}: {number} does not fit {base.bits} bits")
            scalar_of(kind).store(place, number)


def _set(held: Any, path: list[str | int], value: int) -> None:
    """As `held.a.b[3] = value`; what is not there yet is made."""
    first, *rest = path
    if isinstance(first, int):
        held += [0] * (first + 1 - len(held))
        if rest:
            _set(held[first], rest, value)
        else:
            held[first] = value
        return
    members = held if isinstance(held, dict) else vars(held)
    if not rest:
        members[first] = value
        return
    inner = members.setdefault(first, [] if isinstance(rest[0], int) else {})
    if isinstance(inner, tuple):
        inner = members[first] = list(inner)
    _set(inner, rest, value)


def _members(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    try:
        found: dict[str, Any] = vars(value)
        return found
    except TypeError:
        raise TypeError(f"{value!r} is no kernel object: give one with attributes") from None
