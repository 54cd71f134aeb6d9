"""What all random programs share: structs, maps, globals and some functions."""

from __future__ import annotations

from typing import Any

__all__ = ["CONSTANTS", "GLOBALS", "INTS", "MAPS", "SOURCE", "STRUCTS"]

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


class Packed(Struct):
    low: Bits[u32, L[3]]
    mid: Bits[i32, L[5]]
    high: Bits[u32, L[24]]
    rest: u16


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
bits = ArrayMap[Packed](2)
ph = PerCpuHash[u8, i32](max_entries=8)
outs = ArrayMap[i64](64)
events = RingBuffer[Event](1 << 17)
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


def ordered(a: u32, b: i64) -> tuple[i64, u32]:
    if a > b:
        return b, a
    return i64(a + 1), u32(b)


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
# name -> type
GLOBALS = {"g0": "u32", "g1": "i64", "g2": "u8", "ticks": "u64"}
CONSTANTS = {"limit": "i32", "scale": "u16", "far": "u64"}
MAPS = ["table", "tiny", "pairs", "records", "slots", "rows", "pc", "ph", "outs", "bits", "events"]
