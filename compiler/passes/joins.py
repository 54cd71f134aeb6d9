"""Joins stores of constants that stand side by side in memory.

    store.16 [%s+0], 0
    store.8 [%s+2], 1                    %1 = load.u8 [%p+0]
    %1 = load.u8 [%p+0]          =>      store.32 [%s+0], 65536
    store.8 [%s+3], 0                    store.64 [%s+8], 0
    store.32 [%s+8], 0
    store.32 [%s+12], 0

Only in slots and in what helpers return, which begin at multiples of 8: the kernel refuses what is not aligned. A store
waits for those that follow it, up to what may read or write the same bytes. One instruction stores 32 bits of constant,
extended by their sign; where joining would take a register for the constant, it is not done.
"""

from __future__ import annotations

from pybpf.compiler.analysis.places import apart, is_aligned, origin
from pybpf.compiler.ir.ops import Const, Guard, Load, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.analysis.places import Wholes
    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op

__all__ = ["run"]


def run(function: Function) -> bool:
    """Block by block."""
    changed = False
    for block in function.blocks:
        changed |= _join(block)
    return changed


class _Waiting:
    """Stores to one object that nothing has looked at since. `at` is the index in the block of the last one."""

    def __init__(self, wholes: Wholes) -> None:
        self.wholes = wholes
        self.stores: list[tuple[int, int, Store]] = []  # bytes from the object's start, index in the block, the store


def _join(block: Block) -> bool:
    waiting: dict[object, _Waiting] = {}
    new: dict[int, list[Op]] = {}  # what stands in the place of operations, by their index
    for index, op in enumerate(block.ops):
        if type(op) is Store:
            place, offset, wholes = origin(op.addr, op.offset)
            for other, group in list(waiting.items()):
                if other != place and not apart(wholes, group.wholes):
                    _flush(waiting.pop(other), new)
            if type(op.value) is Const and op.value.kind == "int" and is_aligned(op.addr):
                waiting.setdefault(place, _Waiting(wholes)).stores.append((offset, index, op))
            elif place in waiting and _overlap(waiting[place], offset, op.bits // 8):
                _flush(waiting.pop(place), new)
        elif type(op) is Load:
            place, offset, wholes = origin(op.addr, op.offset)
            for other, group in list(waiting.items()):
                same = other == place and op.core is None
                if _overlap(group, offset, op.bits // 8) if same else not apart(wholes, group.wholes):
                    _flush(waiting.pop(other), new)
        elif not op.pure and type(op) is not Guard:
            for group in waiting.values():
                _flush(group, new)
            waiting.clear()
    if new:
        block.ops = [each for index, op in enumerate(block.ops) for each in new.get(index, (op,))]
    return bool(new)


def _overlap(group: _Waiting, offset: int, size: int) -> bool:
    return any(offset < at + store.bits // 8 and at < offset + size for at, _, store in group.stores)


def _flush(group: _Waiting, new: dict[int, list[Op]]) -> None:
    """Store what waited in as few pieces as there can be, each in the place of the last store that it stands for."""
    held: dict[int, tuple[int, int]] = {}  # by byte: what it becomes, and the index of the store that says so last
    for at, index, store in group.stores:
        assert type(store.value) is Const
        for byte in range(store.bits // 8):
            held[at + byte] = (store.value.value >> 8 * byte & 255, index)
    pieces = []  # index, offset, bytes, value
    while held:
        at = min(held)
        size = next(size for size in (8, 4, 2, 1) if at % size == 0 and _fits(held, at, size))
        bytes = [held.pop(at + byte) for byte in range(size)]
        value = sum([byte << 8 * number for number, (byte, _) in enumerate(bytes)])
        pieces.append((max([index for _, index in bytes]), at, size, value))
    if len(pieces) >= len(group.stores):
        return
    where = {index: (store, store.offset - at) for at, index, store in group.stores}
    for index in where:
        new[index] = []
    for index, at, size, value in pieces:
        store, shift = where[index]
        new[index].append(Store(store.addr, at + shift, 8 * size, Const(value), store.span))


def _fits(held: dict[int, tuple[int, int]], at: int, size: int) -> bool:
    """Whether so many bytes are stored by one instruction, whose constant has 32 bits and a sign."""
    if not all(at + byte in held for byte in range(size)):
        return False
    if size < 8:
        return True
    high = [held[at + byte][0] for byte in range(4, 8)]
    return high == [255 if held[at + 3][0] > 127 else 0] * 4
