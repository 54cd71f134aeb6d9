"""Statements of random_ir.py's programs that are about stack objects of odd sizes.

Each is wanted for a while only: one after the other, one inside the other, in loops, on one of two ways. They are
written in parts or by a helper before they are read, and used by loads and stores, by helpers, by computed addresses,
by addresses that phis choose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Slot

if TYPE_CHECKING:
    from pybpf.compiler.ir.ops import Value
    from tests.ir.random_ir import _Generator

__all__ = ["either", "new", "scratch"]


def new(g: _Generator) -> tuple[Slot, int]:
    """A new stack slot, all its bytes written; and its size. Without room for one, one that is there."""
    size = g.rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 12, 13, 16, 20, 24))
    if size > g.room:
        return g.local, 8
    g.room -= size
    align = g.rng.choice([a for a in (1, 2, 4, 8) if a <= size])
    slot = Slot(f"o{len(g.function.slots)}", size, align)
    g.function.slots.append(slot)
    addr = g.emit(ops.SlotAddr(slot))
    if g.rng.random() < 0.2:
        state = g.emit(ops.GlobalAddr("state"))
        g.emit(ops.CallHelper(113, "bpf_probe_read_kernel", [addr, ops.Const(size), state]))
        return slot, size
    parts = []
    at = 0
    while at < size:
        part = g.rng.choice([b for b in (1, 2, 4, 8) if b <= align and not at % b and at + b <= size])
        parts.append((at, 8 * part))
        at += part
    g.rng.shuffle(parts)
    for at, bits in parts:
        g.emit(ops.Store(addr, at, bits, g.value()))
    return slot, size


def _touch(g: _Generator, addr: Value, slot: Slot, size: int) -> None:
    """Read or write the object that `slot` is, or has the size of; at times a byte that is known at run time."""
    bits = 8 * g.rng.choice([b for b in (1, 2, 4, 8) if b <= min(slot.align, size)])
    at = g.rng.randrange(8 * size // bits) * bits // 8
    if g.rng.random() < 0.2 and size >= 4:
        bits, at = 8, 0
        index = g.emit(ops.Binary("and", g.value(), ops.Const(3)))
        addr = g.emit(ops.PtrAdd(addr, index))
    if g.rng.random() < 0.5:
        g.emit(ops.Store(addr, at, bits, g.value()))
    else:
        g.assign(g.load(addr, at, bits))


def scratch(g: _Generator, depth: int) -> None:
    """A stack object, and perhaps other statements while it is wanted."""
    slot, size = new(g)
    for _ in range(g.rng.randint(1, 3)):
        _touch(g, g.emit(ops.SlotAddr(slot)), slot, size)
    if g.rng.random() < 0.5:
        g.statements(depth + 1)
    addr = g.emit(ops.SlotAddr(slot))
    if size >= 4 and slot.align >= 4 and g.rng.random() < 0.4:
        small = g.emit(ops.Binary("and", g.value(), ops.Const(15)))
        g.emit(ops.Store(addr, 0, 32, small))
        value = g.emit(ops.SlotAddr(g.buffer))
        g.emit(ops.CallHelper(2, "bpf_map_update_elem", [g.emit(ops.MapAddr("seen")), addr, value, ops.Const(0)]))
    elif size >= 16 and slot.align == 8 and g.rng.random() < 0.5:
        key = g.put_key()
        g.emit(ops.CallHelper(2, "bpf_map_update_elem", [g.emit(ops.MapAddr("seen")), key, addr, ops.Const(0)]))
    _touch(g, addr, slot, size)


def either(g: _Generator, depth: int) -> None:
    """One of two stack objects, by an address that a phi chooses."""
    first, size = new(g)
    second, other_size = new(g)
    branch = g.branch()
    saved = list(g.vars)
    branch.then = g.start("first")
    g.statements(3)
    chosen: list[Value] = [g.emit(ops.SlotAddr(first))]
    arms = [(g.block, g.vars)]
    branch.other = g.start("second")
    g.vars = saved
    chosen.append(g.emit(ops.SlotAddr(second)))
    arms.append((g.block, g.vars))
    g.join("pointing", arms)
    pairs = [(block, addr) for (block, _), addr in zip(arms, chosen, strict=True)]
    addr = ops.Phi(pairs, "ptr", "either")
    g.block.ops.insert(0, addr)
    small = first if first.align < second.align else second
    for _ in range(g.rng.randint(1, 2)):
        _touch(g, addr, small, min(size, other_size))
    _touch(g, g.emit(ops.SlotAddr(first)), first, size)
