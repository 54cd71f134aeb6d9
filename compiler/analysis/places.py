"""Where addresses may point: which of two accesses can't meet.

origin(%1, 4)   (the slot, 16, {the slot})   for  %1 = ptradd %slot, 12
apart({slot a}, {slot b})                    True
"""

from __future__ import annotations

from pybpf.compiler.ir.ops import ArenaCast, CallHelper, Const, GlobalAddr, Guard, Load, Phi, PtrAdd, SlotAddr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pybpf.compiler.ir.ops import Value

    Wholes: TypeAlias = "frozenset[object] | None"  # the objects that an address may lie in; None for any

__all__ = ["apart", "is_aligned", "is_in_packet", "origin"]

PACKET, ARENA = "packet", "arena"
_MAP_LOOKUP = 1  # what it returns is in no packet
_KPTR_XCHG = 194
_RINGBUF_RESERVE = 131  # what it returns is nowhere else
WHOLES = 4  # an address that may point into more objects may point anywhere


def origin(addr: Value, offset: int) -> tuple[object, int, Wholes]:
    """(what the address counts from, bytes from there, what it may lie in: see `_wholes`).

    A slot or a global is the same whichever operation makes its address, and a guard is what it guards.
    """
    while True:
        if type(addr) is Guard:
            addr = addr.value
        elif type(addr) is PtrAdd and type(addr.offset) is Const:
            offset += addr.offset.value
            addr = addr.base
        else:
            break
    found: set[object] = set()
    return _name(addr), offset, frozenset(found) if _wholes(addr, found, set()) else None


def _wholes(value: Value, found: set[object], seen: set[Value]) -> bool:
    """Add the objects that an address may point into; False if it may point anywhere.

    They are slots, globals, results of helpers, what the context points to (a packet), and the program's arena.
    """
    while type(value) in (Guard, PtrAdd):
        value = value.args()[0]  # type: ignore[attr-defined]
    if type(value) is Phi:
        if value in seen:
            return True
        seen.add(value)
        return all(_wholes(each, found, seen) for each in value.args())
    if type(value) is Const:  # null: nothing is accessed there
        return True
    if type(value) is Load and (value.constant or _is_bound(value)):
        found.add(PACKET)
        return True
    if type(value) is ArenaCast:
        found.add(ARENA)
        return True
    if type(value) not in (SlotAddr, GlobalAddr, CallHelper):
        return False
    found.add(_name(value))
    return len(found) <= WHOLES


def _name(value: Value) -> object:
    if type(value) is SlotAddr:
        return value.slot
    return f"global {value.symbol}" if type(value) is GlobalAddr else value


def apart(one: Wholes, two: Wholes) -> bool:
    """Nothing is in both. Helpers may return the same twice, and some what the context points to."""
    if one is None or two is None or not one.isdisjoint(two):
        return False
    calls = [whole for whole in one if type(whole) is CallHelper and whole.id != _RINGBUF_RESERVE]
    others = [whole for whole in two if type(whole) is CallHelper and whole.id != _RINGBUF_RESERVE]
    if calls and others:
        return False
    packet, other_packet = PACKET in one, PACKET in two
    if not (packet and others) and not (other_packet and calls):
        return True
    return all(call.id == _MAP_LOOKUP for call in calls or others)


def is_aligned(addr: Value) -> bool:
    """Whether the object that a constant offset leads into begins at a multiple of 8, and may be accessed as one likes.

    What a map kept the verifier checks member by member.
    """
    while True:
        if type(addr) is Guard:
            addr = addr.value
        elif type(addr) is PtrAdd and type(addr.offset) is Const:
            addr = addr.base
        else:
            if type(addr) is CallHelper:
                return addr.id != _KPTR_XCHG
            return type(addr) is SlotAddr and addr.slot.align >= 8


def is_in_packet(addr: Value, depth: int = 8) -> bool:
    """Whether it is an address in a packet, which contexts have as 32 bits (those of the kernel's objects have 64)."""
    while type(addr) in (Guard, PtrAdd):
        addr = addr.args()[0]  # type: ignore[attr-defined]
    if type(addr) is Phi:
        return depth > 0 and all(value is addr or is_in_packet(value, depth - 1) for value in addr.args())
    return type(addr) is Load and _is_bound(addr)


def _is_bound(load: Load) -> bool:
    """A packet's start or end; not constant where the program hands the context to what may move the packet."""
    return load.kind == "ptr" and load.bits == 32
