"""Removes stores that nothing reads.

    %1: ptr = slot $0.buffer                     %1: ptr = slot $0.buffer
    store.64 [%1+0], 0                           store.64 [%1+8], 0
    store.64 [%1+8], 0                    =>     call bpf_probe_read_kernel#113(%1, 8, %0)
    call bpf_probe_read_kernel#113(%1, 8, %0)    %3 = load.u64 [%1+0]
    %3 = load.u64 [%1+0]                         %4 = load.u64 [%1+8]
    %4 = load.u64 [%1+8]                         ret %4
    ret %4

Byte by byte, backwards: what is written again on every way before it is read was written for nothing. A helper that
certainly fills memory writes it (calls.py); any other call reads all that it is given, to the slot's end. A slot whose
address is not only used by loads, stores and such helpers is left alone. Elsewhere, in a packet or a map, only a store
goes that the same block repeats before anything else could be seen to read it.
"""

from __future__ import annotations

from pybpf.compiler.analysis.calls import filled, fills_all
from pybpf.compiler.analysis.places import apart, origin
from pybpf.compiler.ir.ops import CallHelper, Const, Guard, Load, PtrAdd, SlotAddr, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.analysis.places import Wholes
    from pybpf.compiler.ir.function import Block, Function, Slot
    from pybpf.compiler.ir.ops import Op, Value

    Effect = tuple[int, int, Op]  # bytes that are read, then bytes that are written, as bits; the operation

__all__ = ["run"]


def run(function: Function) -> bool:
    """Block by block; then, of slots, all blocks at once."""
    changed = False
    for block in function.blocks:
        changed |= _repeated(block)
    return (bool(function.slots) and _to_slots(function)) or changed


def _repeated(block: Block) -> bool:
    """Drop stores to places that a later one writes, between which nothing may read them."""
    if sum([type(op) is Store for op in block.ops]) < 2:
        return False
    later: dict[tuple[object, int], tuple[int, Wholes]] = {}  # by object and offset: bytes that will be written
    kept: list[Op] = []
    for op in reversed(block.ops):
        if type(op) is Store:
            start, offset, wholes = origin(op.addr, op.offset)
            if later.get((start, offset), (0, None))[0] >= op.bits // 8:
                continue
            later[start, offset] = (op.bits // 8, wholes)
        elif type(op) is Load:
            start, _, wholes = origin(op.addr, op.offset)
            later = {place: (n, w) for place, (n, w) in later.items() if place[0] != start and apart(w, wholes)}
        elif not op.pure and type(op) is not Guard:
            later.clear()
        kept.append(op)
    if len(kept) == len(block.ops):
        return False
    block.ops = kept[::-1]
    return True


def _to_slots(function: Function) -> bool:
    """Solve for the bytes that are needed at the end of each block, then drop what stores none."""
    effects = _effects(function)
    if not any(type(op) is Store for found in effects.values() for _, _, op in found):
        return False
    needed = dict.fromkeys(function.blocks, 0)  # at each block's start
    before = function.predecessors()
    work = function.reverse_postorder()
    waiting = set(work)
    while work:
        block = work.pop()
        waiting.discard(block)
        bits = _at_end(block, needed)
        for read, written, _ in reversed(effects[block]):
            bits = bits & ~written | read
        if bits != needed[block]:
            needed[block] = bits
            for source in before[block]:
                if source not in waiting:
                    waiting.add(source)
                    work.append(source)
    dead: set[Op] = set()
    for block, found in effects.items():
        bits = _at_end(block, needed)
        for read, written, op in reversed(found):
            if type(op) is Store and not written & bits:
                dead.add(op)
            else:
                bits = bits & ~written | read
    if dead:
        for block in function.blocks:
            block.ops = [op for op in block.ops if op not in dead]
    return bool(dead)


def _at_end(block: Block, needed: dict[Block, int]) -> int:
    bits = 0
    for target in block.successors():
        bits |= needed[target]
    return bits


def _effects(function: Function) -> dict[Block, list[Effect]]:
    """What each block's operations read and write of the slots that are only used in ways that can be followed."""
    kept, start = _followed(function), {}
    at = 0
    for slot in function.slots:
        start[slot] = at
        at += slot.size

    def bits(addr: Value, offset: int, size: int | None) -> int:
        place = _place(addr, offset)
        if place is None or place[0] not in kept:
            return 0
        slot, offset = place
        if offset < 0 or offset > slot.size:
            offset, size = 0, None
        size = slot.size - offset if size is None else min(size, slot.size - offset)
        return ((1 << size) - 1) << start[slot] + offset

    effects: dict[Block, list[Effect]] = {}
    for block in function.blocks:
        found: list[Effect] = []
        for op in block.ops:
            read = written = 0
            if type(op) is Load:
                read = bits(op.addr, op.offset, op.bits // 8)
            elif type(op) is Store:
                written = bits(op.addr, op.offset, op.bits // 8)
            elif type(op) is CallHelper:
                fills = filled(op) if fills_all(op) else ()
                for addr, size in fills or ():
                    written |= bits(addr, 0, size) if size is not None else 0
                for value in op.arguments:
                    if not any(addr is value and size is not None for addr, size in fills or ()):
                        read |= bits(value, 0, None)
            if read or written:
                found.append((read, written, op))
        effects[block] = found
    return effects


def _followed(function: Function) -> set[Slot]:
    """The slots whose address goes only where `_effects` looks."""
    kept = set(function.slots)
    for op in function.ops():
        if type(op) is PtrAdd and type(op.offset) is Const:
            continue
        known = type(op) is CallHelper and filled(op) is not None
        for n, value in enumerate(op.args()):
            place = _place(value, 0)
            if place is not None and not known and not (type(op) in (Load, Store) and n == 0):
                kept.discard(place[0])
    return kept


def _place(addr: Value, offset: int) -> tuple[Slot, int] | None:
    while type(addr) is PtrAdd and type(addr.offset) is Const:
        offset += addr.offset.value
        addr = addr.base
    return (addr.slot, offset) if type(addr) is SlotAddr else None
