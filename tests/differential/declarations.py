"""What all random programs share: structs, maps, globals and some functions, in the language and in the reference."""

from __future__ import annotations

from typing import Any

from tests.differential.model import Hash, Ring, Slots

__all__ = ["CONSTANTS", "GLOBALS", "MAPS", "REFERENCE", "SOURCE", "maps"]

SOURCE = """\
from pybpf import *

MASK = 0x0F0F


class Pair(Struct):
    x: i32
    y: u16
    z: i64
    big: be32

    def total(self) -> i64:
        return i64(self.x + self.z - self.y)


class Nest(Struct):
    flag: bool
    pair: Pair
    cells: Array[i16, L[8]]
    name: Text[L[8]]
    net: be16
    last: u8


class Key(Struct):
    low: u8
    high: u32


class Event(Struct):
    seq: u32
    pair: Pair
    vals: Array[u32, L[4]]
    what: Text[L[6]]


class Head(Struct):
    kind: u8
    flags: i8
    port: be16
    addr: be32
    n: i64


class Ext(Struct):
    a: u32
    b: i16
    c: be16
    raw: Array[u8, L[8]]
    d: be64


table = HashMap[u32, i64](max_entries=64)
tiny = HashMap[u16, u32](max_entries=3)
pairs = HashMap[Key, Pair](max_entries=16)
records = HashMap[u32, Pair](max_entries=8)
slots = ArrayMap[i32](8)
rows = ArrayMap[Nest](4)
pc = PerCpuArray[u64](4)
ph = PerCpuHash[u8, i32](max_entries=8)
outs = ArrayMap[i64](64)
events = RingBuffer[Event](1 << 20)
g0 = var(u32, 5)
g1 = var(i64, -7)
g2 = var(u8, 200)
ticks = var(u64, 0)
limit = const(i32, 100)
scale = const(u16, 3)
far = const(u64, (1 << 64) - 2)


def tick(n: u32) -> u64:
    global ticks
    ticks += n
    return ticks


def clamp(v: i64, low: i64, high: i64) -> i64:
    if v < low:
        return low
    if v > high:
        return high
    return v


def is_odd(v: i64) -> bool:
    return v & 1 == 1


def first_of(k: u32) -> i64 | None:
    if k & 4:
        return None
    return table.get(k)


def pick(a: Pair, b: Pair, c: bool) -> Pair:
    if c:
        return a
    return b


def bump(p: Pair, by: i32 = 3) -> i32:
    p.x += by
    return p.x
"""

REFERENCE = """\
MASK = 0x0F0F


def tick(n):
    global ticks
    ticks = u64(ticks + u32(n))
    return ticks


def clamp(v, low, high):
    v, low, high = i64(v), i64(low), i64(high)
    return low if v < low else high if v > high else v


def is_odd(v):
    return v % 2 == 1


def first_of(k):
    return None if u32(k) & 4 else table.get(k)


def pick(a, b, c):
    return a if c else b


def bump(p, by=3):
    p.x = p.x + i32(by)
    return p.x
"""

# name -> type and first value
GLOBALS: dict[str, tuple[str, int]] = {"g0": ("u32", 5), "g1": ("i64", -7), "g2": ("u8", 200), "ticks": ("u64", 0)}
CONSTANTS: dict[str, tuple[str, int]] = {"limit": ("i32", 100), "scale": ("u16", 3), "far": ("u64", (1 << 64) - 2)}
# name -> key type, value type, entries
MAPS: dict[str, tuple[str, str, int]] = {
    "table": ("u32", "i64", 64),
    "tiny": ("u16", "u32", 3),
    "pairs": ("Key", "Pair", 16),
    "records": ("u32", "Pair", 8),
    "slots": ("", "i32", 8),
    "rows": ("", "Nest", 4),
    "pc": ("", "u64", 4),
    "ph": ("u8", "i32", 8),
    "outs": ("", "i64", 64),
}


def maps() -> dict[str, Any]:
    """The reference's maps, empty."""
    made: dict[str, Any] = {
        name: Hash(key, value, most) if key else Slots(value, most) for name, (key, value, most) in MAPS.items()
    }
    return {**made, "events": Ring("Event")}
