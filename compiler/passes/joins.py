"""Joins stores that stand side by side in memory, and the loads of what they store.

    store.16 [%s+0], 0                   store.32 [%s+0], 65536
    store.8 [%s+2], 1                    %1 = load.u64 [%p+26]
    store.8 [%s+3], 0             =>     store.64 [%s+8], %1
    %1 = load.u32 [%p+26]                %3 = load.u8 [%p+23]
    store.32 [%s+8], %1                  store.32 [%s+16], %3
    %2 = load.u32 [%p+30]
    store.32 [%s+12], %2
    store.32 [%s+16], 0
    %3 = load.u8 [%p+23]
    store.8 [%s+16], %3

Three kinds of stores become one: of constants; of what is loaded from places side by side, and used for nothing else;
and of a value in front of zeros, which is that value in more bytes. Only to slots and to what helpers return, which
begin at multiples of 8: the kernel refuses what is not aligned. Loads are joined from there, and from packets where the
machine may read at any address.

A store waits for those that follow it, up to what may read or write the same bytes. One instruction stores 32 bits of
constant, extended by their sign; where joining would take a register for the constant, it is not done.
"""

from __future__ import annotations

from pybpf.compiler.analysis.places import apart, is_aligned, is_in_packet, origin
from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.analysis.uses import count_uses
from pybpf.compiler.ir.ops import Const, Guard, Load, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pybpf.compiler.analysis.places import Wholes
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

    # What a byte of memory becomes: the bits of a constant, or which byte of which value; and the index of the store.
    Byte: TypeAlias = "tuple[int | Value, int, int]"

__all__ = ["run"]


def run(function: Function) -> bool:
    """Block by block."""
    joins = _Joins(function)
    changed = False
    for block in function.blocks:
        if sum([type(op) is Store for op in block.ops]) > 1:
            changed |= joins.block(block)
    return changed


class _Waiting:
    """Stores to one object that nothing has looked at since."""

    def __init__(self, wholes: Wholes) -> None:
        self.wholes = wholes
        self.stores: list[tuple[int, int, Store]] = []  # bytes from the object's start, index in the block, the store


class _Source:
    """A load, at `index` in the block, from a place that is written to at index `until`."""

    def __init__(self, load: Load, index: int) -> None:
        self.place, self.offset, self.wholes = origin(load.addr, load.offset)
        self.index = index
        self.until = 1 << 30


class _Joins:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.ranges = Ranges()
        self.count: dict[Value, int] | None = None

    def block(self, block: Block) -> bool:
        waiting: dict[object, _Waiting] = {}
        self.new: dict[int, list[Op]] = {}  # what stands in the place of operations, by their index
        self.sources: dict[Value, _Source] = {}
        for index, op in enumerate(block.ops):
            if type(op) is Store:
                place, offset, wholes = origin(op.addr, op.offset)
                for source in self.sources.values():
                    if source.place == place or not apart(wholes, source.wholes):
                        source.until = min(source.until, index)
                for other, group in list(waiting.items()):
                    if other != place and not apart(wholes, group.wholes):
                        self.flush(waiting.pop(other))
                if op.value.kind == "int" and is_aligned(op.addr):
                    waiting.setdefault(place, _Waiting(wholes)).stores.append((offset, index, op))
                elif place in waiting and _overlap(waiting[place], offset, op.bits // 8):
                    self.flush(waiting.pop(place))
            elif type(op) is Load:
                place, offset, wholes = origin(op.addr, op.offset)
                for other, group in list(waiting.items()):
                    same = other == place and op.core is None
                    if _overlap(group, offset, op.bits // 8) if same else not apart(wholes, group.wholes):
                        self.flush(waiting.pop(other))
                if op.kind == "int" and op.core is None and not op.constant:
                    self.sources[op] = _Source(op, index)
            elif not op.pure and type(op) is not Guard:
                for group in waiting.values():
                    self.flush(group)
                waiting.clear()
                for source in self.sources.values():
                    source.until = min(source.until, index)
        if self.new:
            block.ops = [each for index, op in enumerate(block.ops) for each in self.new.get(index, (op,))]
            self.count = None
        return bool(self.new)

    def flush(self, group: _Waiting) -> None:
        """Store what waited in as few pieces as there can be, each in the place of the last store it stands for."""
        if len(group.stores) < 2:
            return
        held: dict[int, Byte] = {}
        for at, index, store in group.stores:
            value = store.value
            for byte in range(store.bits // 8):
                if type(value) is Const:
                    held[at + byte] = (value.value >> 8 * byte & 255, 0, index)
                else:
                    held[at + byte] = (value, byte, index)
        pieces: list[tuple[int, int, int, Value | list[Load]]] = []  # index, offset, bytes, value
        while held:
            at = min(held)
            for size in (8, 4, 2, 1):
                bytes = [held[at + byte] for byte in range(size) if at + byte in held]
                what = self.joined(bytes) if len(bytes) == size and at % size == 0 else None
                if what is not None:
                    break
            else:
                return  # a part of a value is left, which no single store can write
            pieces.append((max([index for _, _, index in bytes]), at, size, what))
            for byte in range(size):
                del held[at + byte]
        if len(pieces) >= len(group.stores):
            return
        where = {index: (store, store.offset - at) for at, index, store in group.stores}
        for index in where:
            self.new[index] = []
        for index, at, size, what in pieces:
            store, shift = where[index]
            value = self.load(what, size) if isinstance(what, list) else what
            self.new[index].append(Store(store.addr, at + shift, 8 * size, value, store.span))

    def joined(self, bytes: list[Byte]) -> Value | list[Load] | None:
        """What one store of these bytes writes: a value, or what these loads load; None if no value is that."""
        first, start, _ = bytes[0]
        size = len(bytes)
        if isinstance(first, int):
            bits = [what for what, _, _ in bytes if isinstance(what, int)]
            if len(bits) < size or (size == 8 and bits[4:] != [255 if bits[3] > 127 else 0] * 4):
                return None
            return Const(sum([what << 8 * n for n, what in enumerate(bits)]))
        if start:
            return None
        length = next((n for n, (what, byte, _) in enumerate(bytes) if what is not first or byte != n), size)
        if length == size:
            return first
        if all(isinstance(what, int) and what == 0 for what, _, _ in bytes[length:]):
            return first if self.ranges.of(first)[1] < 1 << 8 * length else None
        return self.loads(bytes)

    def loads(self, bytes: list[Byte]) -> list[Load] | None:
        """The loads from places side by side whose bytes these are, all of them and each once."""
        found: list[Load] = []
        at = 0
        while at < len(bytes):
            load, _, _ = bytes[at]
            source = self.sources.get(load) if type(load) is Load else None
            if source is None:
                return None
            assert type(load) is Load
            size = load.bits // 8
            if [(what, byte) for what, byte, _ in bytes[at : at + size]] != [(load, n) for n in range(size)]:
                return None
            first = self.sources[found[0]] if found else source
            if source.place != first.place or source.offset != first.offset + at or not self.once(load):
                return None
            found.append(load)
            at += size
        source = self.sources[found[0]]
        last = max([self.sources[load].index for load in found])
        if any(self.sources[load].until < last for load in found):
            return None
        if is_aligned(found[0].addr):
            return found if source.offset % len(bytes) == 0 else None
        return found if self.function.unaligned and is_in_packet(found[0].addr) else None

    def once(self, value: Value) -> bool:
        if self.count is None:
            self.count = count_uses(self.function)
        return self.count[value] == 1

    def load(self, loads: list[Load], size: int) -> Load:
        """One load for all of them, where the last one stands."""
        last = max([self.sources[load].index for load in loads])
        for load in loads:
            self.new[self.sources[load].index] = []
        first = loads[0]
        made = Load(first.addr, first.offset, 8 * size, name=first.name, span=first.span)
        self.new[last] = [made]
        return made


def _overlap(group: _Waiting, offset: int, size: int) -> bool:
    return any(offset < at + store.bits // 8 and at < offset + size for at, _, store in group.stores)
