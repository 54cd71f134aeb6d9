"""Memory of a simulation: references to structs, texts and arrays; numbers in memory; user and kernel addresses.

A `Ref` is what a Python variable holds for an aggregate: a place in some buffer (a struct on the stack, a map's value,
a packet). A `Far` is a place in user or kernel memory, which programs only read through probe reads: what nobody put
there reads as zeroes. Fields show as attributes, for debuggers.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from pybpf.compiler.schema.types import (
    ArrayType,
    BoolType,
    EnumType,
    Field,
    IntType,
    OptionalType,
    PtrType,
    StructType,
    Type,
    size_of,
)
from pybpf.simulator.errors import SimulationError

__all__ = ["Bits", "Far", "Place", "Ref", "Scalar", "Spaces", "scalar_of"]


class Place:
    """Base of Ref and Far."""

    __slots__ = ("type",)

    type: Type | None

    def at(self, offset: int, type: Type | None) -> Place:
        """The place `offset` bytes further on, holding a `type`."""
        raise NotImplementedError

    def read(self, size: int) -> bytes:
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def text(self, size: int) -> bytes:
        """The string that starts here, without its NUL, of at most `size` bytes."""
        return self.read(size).split(b"\0")[0]

    def value(self) -> Any:
        """A copy as user space would see it: a Struct, str, bytes or list."""
        from pybpf.runtime.codec import codec

        assert self.type is not None
        return codec(self.type, "value").decode(self.read(size_of(self.type)), 0)

    def __getattr__(self, name: str) -> Any:
        kind = self.type
        field = kind.field(name) if isinstance(kind, StructType) else None
        if field is None:
            raise AttributeError(name)
        return self.at(field.offset, field.type).value() if not field.bits else Bits(field).load(self)

    def __getitem__(self, index: int) -> Any:
        kind = self.type
        if not isinstance(kind, ArrayType) or not 0 <= index < kind.length:
            raise IndexError(index)
        return self.at(index * size_of(kind.element), kind.element).value()

    def __repr__(self) -> str:
        return repr(self.value()) if self.type is not None else f"<{type(self).__name__}>"


class Ref(Place):
    """`offset` bytes into `memory`. With `dynamic` the memory may end before the type does; the rest reads as zero."""

    __slots__ = ("dynamic", "memory", "offset")

    def __init__(self, memory: bytearray, offset: int = 0, type: Type | None = None, dynamic: bool = False) -> None:
        self.memory = memory
        self.offset = offset
        self.type = type
        self.dynamic = dynamic

    def at(self, offset: int, type: Type | None) -> Ref:
        return Ref(self.memory, self.offset + offset, type, self.dynamic)

    def read(self, size: int) -> bytes:
        start = self.offset
        if start >= 0 and start + size <= len(self.memory):
            return bytes(self.memory[start : start + size])
        if self.dynamic and start >= 0:
            return bytes(self.memory[start : start + size]).ljust(size, b"\0")
        raise self._outside(size, "read")

    def write(self, data: bytes) -> None:
        start = self.offset
        if not (start >= 0 and start + len(data) <= len(self.memory)):
            raise self._outside(len(data), "write")
        self.memory[start : start + len(data)] = data

    def _outside(self, size: int, verb: str) -> SimulationError:
        return SimulationError(
            f"{verb} of {size} bytes at offset {self.offset} of {len(self.memory)} bytes",
            "the context or the packet given to the simulation is smaller than the program takes it to be",
        )


class Spaces:
    """User or kernel memory: byte strings at addresses, put there by the test."""

    def __init__(self, name: str, first: int) -> None:
        self.name = name
        self._next = first
        self._starts: list[int] = []
        self._parts: list[bytearray] = []

    def put(self, data: bytes | bytearray | str, address: int | None = None) -> int:
        """Place bytes, or a string and its NUL, at an address (a fresh one if none is given), which is returned."""
        return self.put_buffer(bytearray(data.encode() + b"\0" if isinstance(data, str) else data), address)

    def put_buffer(self, content: bytearray, address: int | None = None) -> int:
        """Place a buffer, which may be changed afterwards."""
        if address is None:
            address = self._next
            self._next += (len(content) + 4095) // 4096 * 4096 + 4096
        at = bisect_right(self._starts, address)
        self._starts.insert(at, address)
        self._parts.insert(at, content)
        return address

    def read(self, address: int, size: int) -> bytes | None:
        """The bytes at an address; None unless all of them are there."""
        found = self._find(address)
        if found is None or len(found[0]) - found[1] < size:
            return None
        return bytes(found[0][found[1] : found[1] + size])

    def write(self, address: int, data: bytes) -> None:
        """Change the bytes at an address; nothing happens unless all of them are there."""
        found = self._find(address)
        if found is not None and len(found[0]) - found[1] >= len(data):
            found[0][found[1] : found[1] + len(data)] = data

    def string(self, address: int, size: int) -> bytes | None:
        """The string at an address as a probe reads it into `size` bytes: cut to leave room for the NUL, without it."""
        found = self._find(address)
        if found is None:
            return None
        return bytes(found[0][found[1] :]).split(b"\0")[0][: size - 1]

    def _find(self, address: int) -> tuple[bytearray, int] | None:
        at = bisect_right(self._starts, address) - 1
        if at < 0 or address >= self._starts[at] + len(self._parts[at]):
            return None
        return self._parts[at], address - self._starts[at]


class Far(Place):
    """An address in user or kernel memory."""

    __slots__ = ("address", "space")

    def __init__(self, space: Spaces, address: int, type: Type | None = None) -> None:
        self.space = space
        self.address = address
        self.type = type

    def at(self, offset: int, type: Type | None) -> Far:
        return Far(self.space, self.address + offset, type)

    def read(self, size: int) -> bytes:
        return self.space.read(self.address, size) or bytes(size)

    def text(self, size: int) -> bytes:
        return self.space.string(self.address, size) or b""

    def write(self, data: bytes) -> None:
        raise SimulationError(f"{self.space.name} memory can't be written by a program")


class Scalar:
    """How a number lies in memory."""

    __slots__ = ("big", "is_bool", "signed", "size", "type")

    def __init__(self, type: Type) -> None:
        self.type = type
        self.is_bool = isinstance(type, BoolType)
        self.big = isinstance(type, IntType) and type.big
        base = type.base if isinstance(type, EnumType) else type
        self.signed = isinstance(base, IntType) and base.signed
        self.size = size_of(type)

    def decode(self, data: bytes) -> Any:
        value = int.from_bytes(data, "big" if self.big else "little", signed=self.signed)
        return value != 0 if self.is_bool else value

    def encode(self, value: int) -> bytes:
        """The low bytes of the value."""
        return (int(value) & (1 << 8 * self.size) - 1).to_bytes(self.size, "big" if self.big else "little")

    def load(self, place: Place) -> Any:
        return self.decode(place.read(self.size))

    def store(self, place: Place, value: int) -> None:
        place.write(self.encode(value))


class Bits:
    """A bit field: `load` and `store` take the place of the struct."""

    __slots__ = ("is_bool", "mask", "offset", "shift", "signed", "size", "width")

    def __init__(self, field: Field) -> None:
        self.size = (field.bit_offset + field.bits + 7) // 8
        self.offset = field.offset
        self.shift = field.bit_offset
        self.width = field.bits
        self.mask = (1 << field.bits) - 1
        base = field.type.base if isinstance(field.type, EnumType) else field.type
        self.signed = isinstance(base, IntType) and base.signed
        self.is_bool = isinstance(field.type, BoolType)

    def _unit(self, place: Place) -> tuple[Place, int]:
        unit = place.at(self.offset, None)
        return unit, int.from_bytes(unit.read(self.size), "little")

    def load(self, place: Place) -> int:
        value = self._unit(place)[1] >> self.shift & self.mask
        if self.is_bool:
            return value != 0
        return value - (1 << self.width) if self.signed and value >> self.width - 1 else value

    def store(self, place: Place, value: int) -> None:
        unit, old = self._unit(place)
        merged = old & ~(self.mask << self.shift) | (int(value) & self.mask) << self.shift
        unit.write(merged.to_bytes(self.size, "little"))


_scalars: dict[Type, Scalar] = {}


def scalar_of(type: Type) -> Scalar:
    """The Scalar of a type; addresses are 64-bit numbers, but for pointers into arenas."""
    found = _scalars.get(type)
    if found is None and isinstance(type, OptionalType):
        from pybpf.simulator.arenas import Pointer

        pointer: Any = Pointer(type)
        found = _scalars[type] = pointer
    if found is None:
        kind = IntType(64) if isinstance(type, PtrType) else type
        found = _scalars[type] = Scalar(kind)
    return found
