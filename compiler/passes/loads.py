"""Reads memory once, and not at all where what it holds was just written.

    %1 = load.u16 [%p+12]                    %1 = load.u16 [%p+12]
    br eq %1, 8, @a, @b                      br eq %1, 8, @a, @b
    @b:                               =>     @b:
      %2 = load.u16 [%p+12]                    store.32 [%p+4], %1
      store.32 [%p+4], %2                      ret %1
      %3 = load.u32 [%p+4]
      store.32 [%p+4], %3
      ret %3

What was loaded or stored is known until the next call, atomic operation, or store that may overlap; where ways meet,
what all of them know is. Stores to different slots, to different globals, and to a packet or to what a helper
returned don't overlap. Many helpers leave the stack and the packet alone, or write to one place of it (calls.py). A
slot is not stored to what it holds. What a map has for the key in a slot is looked up once while the slot stays as it
is and no call changes maps: `if key in table: table[key] += 1`. Other CPUs may write to maps all the while: a program
that reads twice in a row can't tell.
"""

from __future__ import annotations

from pybpf.compiler.analysis.calls import filled, keeps_elements
from pybpf.compiler.analysis.places import PACKET, apart, origin
from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.ir.function import Slot
from pybpf.compiler.ir.ops import CALLS, Atomic, CallHelper, Const, Extend, Load, MapAddr, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pybpf.compiler.analysis.places import Wholes
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

    Place: TypeAlias = "tuple[object, int, int]"  # the address's origin, offset in bytes, bits
    Lookups: TypeAlias = "dict[tuple[str, Slot], Op]"  # map and slot of the key -> the call that looked it up

__all__ = ["run"]

MAP_LOOKUP = 1
SK_RELEASE = 86


class _Known:
    """What memory is known to hold: by place, the value, and the object that the place is in."""

    def __init__(self, held: dict[Place, tuple[Value, Wholes]] | None = None, found: Lookups | None = None) -> None:
        self.held = dict(held) if held else {}
        self.found: Lookups = dict(found) if found else {}

    def forget(self, start: object, offset: int, bits: int, wholes: Wholes) -> None:
        """A store of these bytes has happened."""
        end = offset + bits // 8
        for place, (_, other) in list(self.held.items()):
            if place[0] == start:
                if place[1] < end and offset < place[1] + place[2] // 8:
                    del self.held[place]
            elif not apart(wholes, other):
                del self.held[place]
        for symbol, slot in list(self.found):
            if slot is start or not apart(wholes, frozenset((slot,))):
                del self.found[symbol, slot]

    def call(self, op: Op) -> None:
        """Forget what a call may change."""
        written = filled(op)
        if written is None or not keeps_elements(op):
            self.found.clear()
        if written is None:
            self.held.clear()
            return
        self.held = {place: entry for place, entry in self.held.items() if _own(place[0], entry[1])}
        for addr, size in written:
            start, offset, wholes = origin(addr, 0)
            if size is None:
                offset, size = -1 << 16, 1 << 17
            self.forget(start, offset, 8 * size, wholes)


def _own(start: object, wholes: Wholes) -> bool:
    """Nobody but the program writes there: it is the stack or a packet, not an object of the kernel."""
    return type(start) is not tuple and wholes is not None and all(type(w) is Slot or w == PACKET for w in wholes)


def _at_start(above: list[_Known | None]) -> _Known:
    """What is known where these ways meet; None for one that comes from further down, of which nothing is known yet."""
    first, *others = above or (None,)
    if first is None or None in others:
        return _Known()
    known = _Known(first.held, first.found)
    for other in others:
        assert other is not None
        known.found = {key: call for key, call in known.found.items() if other.found.get(key) is call}
        known.held = {place: entry for place, entry in known.held.items() if _same(entry, other.held.get(place))}
    return known


def _same(entry: tuple[Value, Wholes], other: tuple[Value, Wholes] | None) -> bool:
    if other is None:
        return False
    a, b = entry[0], other[0]
    return a is b or (type(a) is Const and type(b) is Const and a.value == b.value)


def run(function: Function) -> bool:
    """Walk the blocks in reverse postorder; a block continues where its predecessors stopped."""
    before = function.predecessors()
    at_end: dict[Block, _Known] = {}
    new: dict[Value, Value] = {}
    again = False  # whether something was stored again
    ranges = Ranges()
    # A socket that is looked up in a map is held until it is released, each time.
    lookups = not any([type(op) is CallHelper and op.id == SK_RELEASE for op in function.ops()])

    def resolve(value: Value) -> Value:
        return new.get(value, value)

    for block in function.reverse_postorder():
        known = _at_start([at_end.get(source) for source in before[block]])
        kept: list[Op] = []
        for op in block.ops:
            if new:
                op.map_args(resolve)
            if type(op) is Load and not op.constant:
                value = _load(op, known, ranges, kept)
                if value is not None:
                    new[op] = value
                    continue
            elif type(op) is Store:
                start, offset, wholes = origin(op.addr, op.offset)
                place = (start, offset, op.bits)
                if type(start) is Slot and place in known.held and _same(known.held[place], (op.value, None)):
                    again = True
                    continue
                known.forget(*place, wholes)
                known.held[place] = (op.value, wholes)
            elif type(op) in CALLS:
                key = _looked_up(op) if lookups else None
                if key in known.found:
                    new[op] = known.found[key]
                    continue
                known.call(op)
                if key is not None:
                    known.found[key] = op
            elif type(op) is Atomic:
                known.held = {place: entry for place, entry in known.held.items() if _own(place[0], entry[1])}
                start, offset, wholes = origin(op.addr, op.offset)
                known.forget(start, offset, op.bits, wholes)
            kept.append(op)
        block.ops = kept
        at_end[block] = known
    function.replace_uses(new)
    return again or bool(new)


def _looked_up(op: Op) -> tuple[str, Slot] | None:
    """The map and the slot with the key, of a call that looks one up."""
    if type(op) is not CallHelper or op.id != MAP_LOOKUP or len(op.arguments) != 2:
        return None
    table, key = op.arguments
    start, offset, _ = origin(key, 0)
    return (table.symbol, start) if type(table) is MapAddr and type(start) is Slot and not offset else None


def _load(op: Load, known: _Known, ranges: Ranges, kept: list[Op]) -> Value | None:
    """The value to use instead of the load; otherwise what it loads is known from now on."""
    start: object
    start, offset, wholes = origin(op.addr, op.offset)
    if op.core is not None:  # where it is only the loader knows
        start, offset = (op.addr, op.core), 0
    place = (start, offset, op.bits)
    entry = known.held.get(place)
    if entry is None or not (entry[0].kind == op.kind or _is_null(entry[0])):
        known.held[place] = (op, wholes)
        return None
    value = entry[0]
    if op.kind == "ptr":
        if op.bits == 64 or type(value) is Load:
            return value
        known.held[place] = (op, wholes)
        return None
    if op.bits == 64 or (type(value) is Load and value.bits == op.bits and value.signed == op.signed):
        return value
    if not op.signed and ranges.of(value)[1] < 1 << op.bits:
        return value
    kept.append(Extend(value, op.bits, op.signed, op.name, op.span))
    return kept[-1]


def _is_null(value: Value) -> bool:
    return type(value) is Const and value.value == 0
