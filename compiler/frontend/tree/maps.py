"""Expressions on maps. Keys and values are ints of the declared type, or references to (or makers of) aggregates."""

from __future__ import annotations

from pybpf.compiler.frontend.tree.nodes import Expr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.tree.nodes import Var
    from pybpf.compiler.schema.specs import KfuncSpec, MapSpec

__all__ = [
    "ArenaAddress", "ArenaAlloc", "ArenaFree", "Discard", "MapContains", "MapDelete", "MapGet", "MapIndex", "MapPop",
    "MapPush", "MapSet", "MapSetDefault", "MapTake", "MapUpdate", "RingEmit", "RingReserve",
]  # fmt: skip


class MapGet(Expr):
    """map.get(key): Optional of the value; for an aggregate value an Optional reference into the map."""

    map: MapSpec
    key: Expr


class MapIndex(Expr):
    """array[key] with a key proven to be below max_entries: the value, or a reference into the map. A place."""

    map: MapSpec
    key: Expr


class MapContains(Expr):
    """key in map, of a bloom filter value in map. Type BOOL."""

    map: MapSpec
    key: Expr


class MapSet(Expr):
    """map[key] = value, with the update flags of bpf(2) (0 any, 1 noexist, 2 exist, 4 with the value's lock held).

    Type NONE, or BOOL: whether it was set.
    """

    map: MapSpec
    key: Expr
    value: Expr
    flags: int = 0


class MapUpdate(Expr):
    """map[key] op= amount: of the entry, which starts as zero if there is none. Type NONE.

    Atomic in a shared map for + - & | ^ on 32 and 64 bit values; `value` is of the map's value type.
    """

    map: MapSpec
    key: Expr
    op: str
    value: Expr


class MapDelete(Expr):
    """del map[key]; nothing happens where there is no such key. Type NONE."""

    map: MapSpec
    key: Expr


class MapPop(Expr):
    """map.pop(key, None): Optional of a scalar value, after which the key is gone."""

    map: MapSpec
    key: Expr


class MapPush(Expr):
    """queue.push(value), bloom.add(value): BOOL, False where there is no room.

    With the flag 2 (BPF_EXIST) the oldest item makes room.
    """

    map: MapSpec
    value: Expr
    flags: int = 0


class MapTake(Expr):
    """queue.pop(), queue.peek(): Optional of the item, for an aggregate an Optional reference to a copy of it."""

    map: MapSpec
    keeps: bool  # peek


class MapSetDefault(Expr):
    """map.setdefault(key, value): Optional reference to (scalar: Optional value of) the entry, made from `value` if
    new.

    It is None only where the map is full.
    """

    map: MapSpec
    key: Expr
    value: Expr


class ArenaAlloc(Expr):
    """arena.alloc(T): Optional reference to a T in `pages` fresh pages of the arena, all zero."""

    map: MapSpec
    kfunc: KfuncSpec
    pages: int


class ArenaFree(Expr):
    """arena.free(value): gives `pages` pages back, from the one that `value` refers to. Type NONE."""

    map: MapSpec
    kfunc: KfuncSpec
    value: Expr
    pages: int


class ArenaAddress(Expr):
    """arena.address(value): the address (u64) that user space has for what a reference, or an Optional one, refers to.

    arena.at(T, address): the Optional reference to what lies at the address `value`.
    """

    map: MapSpec
    value: Expr


class RingEmit(Expr):
    """ring.emit(value): reserve, build in place, submit. BOOL: False where the ring was full."""

    map: MapSpec
    value: Expr


class RingReserve(Expr):
    """ring.reserve(): Optional reference to a zeroed record; only as the subject of WithReserve."""

    map: MapSpec


class Discard(Expr):
    """record.discard() inside its WithReserve. Type NONE. Afterwards the record is not used on this path."""

    var: Var
