"""The reference: what programs mean, in plain Python, written from docs/semantics.md and from nothing of the project.

The generator writes every program twice: as source of the language, and as plain Python over what is here, in which
each operation names the type that its result wraps at. Numbers are Python ints; a struct is an object with attributes;
a header in the packet is a view of the packet's bytes.
"""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["INTS", "STRUCTS", "World", "canonical"]

# name -> (lowest, highest)
INTS = {f"u{n}": (0, (1 << n) - 1) for n in (8, 16, 32, 64)} | {
    f"i{n}": (-(1 << n - 1), (1 << n - 1) - 1) for n in (8, 16, 32, 64)
}

# Field types: an int type, "be16" and the like, "bool", another struct, (element, length), or a text's size as an int.
STRUCTS: dict[str, dict[str, Any]] = {
    "Pair": {"x": "i32", "y": "u16", "z": "i64", "big": "be32"},
    "Nest": {"flag": "bool", "pair": "Pair", "cells": ("i16", 8), "name": 8, "net": "be16", "last": "u8"},
    "Key": {"low": "u8", "high": "u32"},
    "Event": {"seq": "u32", "pair": "Pair", "vals": ("u32", 4), "what": 6},
    "Head": {"kind": "u8", "flags": "i8", "port": "be16", "addr": "be32", "n": "i64"},
    "Ext": {"a": "u32", "b": "i16", "c": "be16", "raw": ("u8", 8), "d": "be64"},
}


def wrap(kind: str, value: int) -> int:
    """The low bits of a number, as a type has them."""
    bits = int(kind.removeprefix("be").removeprefix("u").removeprefix("i"))
    value &= (1 << bits) - 1
    return value - (1 << bits) if kind[0] == "i" and value >> bits - 1 else value


def zero(kind: Any) -> Any:
    if isinstance(kind, tuple):
        return Cells(kind[0], [zero(kind[0]) for _ in range(kind[1])])
    if isinstance(kind, int):
        return ""
    return Thing(kind) if kind in STRUCTS else 0


def coerced(kind: Any, value: Any) -> Any:
    """A value as a place of a type holds it: numbers wrap, objects are copied."""
    if isinstance(kind, str) and kind not in STRUCTS:
        return int(bool(value)) if kind == "bool" else wrap(kind, value)
    return copy.deepcopy(value)


class Cells:
    """An array."""

    def __init__(self, kind: Any, items: list[Any]) -> None:
        self.kind, self.items = kind, items

    def __getitem__(self, index: int) -> Any:
        return self.items[index]

    def __setitem__(self, index: int, value: Any) -> None:
        self.items[index] = coerced(self.kind, value)

    def __len__(self) -> int:
        return len(self.items)


class Thing:
    """A struct. Fields not given are zero."""

    kind: str

    def __init__(self, kind: str, **given: Any) -> None:
        self.__dict__["kind"] = kind
        for name, field in STRUCTS[kind].items():
            self.__dict__[name] = coerced(field, given[name]) if name in given else zero(field)

    def __setattr__(self, name: str, value: Any) -> None:
        field = STRUCTS[self.kind][name]
        if field in STRUCTS:  # the object lies inside this one, and whoever refers to it sees it change
            self.__dict__[name].__dict__.update(copy.deepcopy(value).__dict__)
        else:
            self.__dict__[name] = coerced(field, value)

    def total(self) -> int:
        values = self.__dict__
        return wrap("i64", wrap("i64", values["x"] + values["z"]) - values["y"])


def packed(kind: Any) -> int:
    """Bytes of a header's field; headers have no padding."""
    if isinstance(kind, tuple):
        return packed(kind[0]) * int(kind[1])
    return int(kind.removeprefix("be").removeprefix("u").removeprefix("i")) // 8


class View:
    """A struct in the packet."""

    def __init__(self, data: bytearray, at: int, kind: str) -> None:
        for name, field in STRUCTS[kind].items():
            object.__setattr__(self, "_" + name, Bytes(data, at, field))
            at += packed(field)

    def __getattr__(self, name: str) -> Any:
        field = self.__dict__["_" + name]
        return field if isinstance(field.kind, tuple) else field.read(0)

    def __setattr__(self, name: str, value: int) -> None:
        self.__dict__["_" + name].write(0, value)


class Bytes:
    """One field in the packet: a number, or an array of them."""

    def __init__(self, data: bytearray, at: int, kind: Any) -> None:
        self.data, self.at, self.kind = data, at, kind
        self.cell: str = kind[0] if isinstance(kind, tuple) else kind
        self.order: Any = "big" if self.cell.startswith("be") else "little"
        self.size = packed(self.cell)

    def read(self, index: int) -> int:
        at = self.at + index * self.size
        return int.from_bytes(self.data[at : at + self.size], self.order, signed=self.cell[0] == "i")

    def write(self, index: int, value: int) -> None:
        at = self.at + index * self.size
        self.data[at : at + self.size] = (value & (1 << 8 * self.size) - 1).to_bytes(self.size, self.order)

    __getitem__, __setitem__ = read, write

    def __len__(self) -> int:
        return int(self.kind[1])


class Packet:
    def __init__(self, data: bytes) -> None:
        self.data, self.cursor = bytearray(data), 0

    def parse(self, kind: str) -> View | None:
        size = sum([packed(field) for field in STRUCTS[kind].values()])
        if self.cursor + size > len(self.data):
            return None
        self.cursor += size
        return View(self.data, self.cursor - size, kind)

    def skip(self, count: int) -> bool:
        if not 0 <= count <= 0xFFFF or self.cursor + count > len(self.data):
            return False
        self.cursor += count
        return True


class Hash:
    """A hash map: full is full, deleting what is not there is nothing."""

    def __init__(self, key: str, value: str, most: int) -> None:
        self.key, self.value, self.most = key, value, most
        self.entries: dict[Any, Any] = {}

    def at(self, key: Any) -> Any:
        return wrap(self.key, key) if self.key in INTS else canonical(key)

    def get(self, key: Any, default: Any = None) -> Any:
        return self.entries.get(self.at(key), default)

    def __contains__(self, key: Any) -> bool:
        return self.at(key) in self.entries

    def __setitem__(self, key: Any, value: Any) -> None:
        if key in self or len(self.entries) < self.most:
            self.entries[self.at(key)] = coerced(self.value, value)

    def __delitem__(self, key: Any) -> None:
        self.entries.pop(self.at(key), None)

    def pop(self, key: Any, default: Any) -> Any:
        return self.entries.pop(self.at(key), default)

    def setdefault(self, key: Any, value: Any) -> Any:
        if key not in self:
            self[key] = value
        return self.get(key)

    def old(self, key: Any) -> Any:
        """What `m[k] += n` adds to."""
        return self.get(key, 0)

    def result(self) -> Any:
        return {key: canonical(value) for key, value in self.entries.items()}


class Slots:
    """An array map."""

    def __init__(self, value: str, count: int) -> None:
        self.value, self.items = value, [zero(value) for _ in range(count)]

    def get(self, key: int) -> Any:
        return self.items[key] if 0 <= key < len(self.items) else None

    def __getitem__(self, key: int) -> Any:
        return self.items[key]

    old = __getitem__

    def __setitem__(self, key: int, value: Any) -> None:
        self.items[key] = coerced(self.value, value)

    def result(self) -> Any:
        return {key: canonical(value) for key, value in enumerate(self.items)}


class Ring:
    """A ring buffer that nobody reads, with room enough."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.events: list[Any] = []

    def emit(self, event: Any) -> bool:
        self.events.append(copy.deepcopy(event))
        return True

    def reserve(self) -> Any:
        return Record(self)

    def result(self) -> Any:
        return [canonical(event) for event in self.events if event is not None]


class Record:
    """A reservation: its place among the events is that of its beginning. Discarded, it is none."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring

    def __enter__(self) -> Any:
        self.thing = Thing(self.ring.kind)
        self.thing.__dict__["discard"] = self.discard
        self.place = len(self.ring.events)
        self.ring.events.append(None)
        self.kept = True
        return self.thing

    def discard(self) -> None:
        self.kept = False

    def __exit__(self, *_: object) -> None:
        if self.kept:
            self.ring.events[self.place] = self.thing


def canonical(value: Any) -> Any:
    """A value without classes: of the reference, of the runtime, of the simulator."""
    if isinstance(value, Thing):
        return tuple([canonical(value.__dict__[name]) for name in STRUCTS[value.kind]])
    if isinstance(value, Cells):
        return tuple([canonical(item) for item in value.items])
    if isinstance(value, (list, tuple)):
        return tuple([canonical(item) for item in value])
    if type(value).__name__ in STRUCTS:
        return tuple([canonical(getattr(value, name)) for name in STRUCTS[type(value).__name__]])
    return value if isinstance(value, str) else int(value)


class World:
    """What one program in the reference runs in: maps, globals, names.

    `divided_by_zero` is set where Python would raise ZeroDivisionError, and the instruction set has an answer.
    """

    def __init__(self, text: str, maps: dict[str, Any], globals: dict[str, tuple[str, int]]) -> None:
        self.divided_by_zero = False
        self.maps = maps
        self.globals = globals
        self.names: dict[str, Any] = {
            **{kind: lambda value, kind=kind: wrap(kind, value) for kind in INTS},
            **{kind: lambda kind=kind, **given: Thing(kind, **given) for kind in STRUCTS},
            **{name: value for name, (_, value) in globals.items()},
            **maps,
            "div": self.divide,
            "mod": self.modulo,
            "zeros": zero,
        }
        exec(compile(text, "<reference>", "exec", dont_inherit=True), self.names)

    def divide(self, a: int, b: int) -> int:
        self.divided_by_zero |= b == 0
        return a // b if b else 0

    def modulo(self, a: int, b: int) -> int:
        self.divided_by_zero |= b == 0
        return a % b if b else a

    def run(self, data: bytes) -> tuple[int, bytes]:
        """The return value, and the packet as it was left."""
        packet = Packet(data)
        return int(self.names["f"](packet)), bytes(packet.data)

    def result(self) -> dict[str, Any]:
        """All maps, and the globals that programs may change."""
        kept = {name: int(self.names[name]) for name in self.globals}
        return {**{name: each.result() for name, each in self.maps.items()}, **kept}
