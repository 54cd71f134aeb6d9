"""Copies a struct that lies on the stack by its fields, so that they need not lie there.

    store.32 [%s+0], %a                     store.32 [%s+0], %a
    store.32 [%s+4], %b                     store.32 [%s+4], %b
    %1 = load.u64 [%s+0]             =>     %1 = load.u32 [%s+0]
    store.64 [%p+0], %1                     store.32 [%p+0], %1
                                            %2 = load.u32 [%s+4]
                                            store.32 [%p+4], %2

A struct is copied in words, and a word that holds several fields keeps all of them in memory; apart, each can be a
value (slots.py). The verifier gains too: of fields that share a word on the stack it remembers which were written, and
walks what follows once for each combination.

Only where the slot's address is used by loads and stores alone, and the words are copied and not used otherwise.
"""

from __future__ import annotations

from pybpf.compiler.analysis.uses import uses
from pybpf.compiler.ir.ops import Load, Store
from pybpf.compiler.passes.slots import accesses_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

Part = tuple[int, int]  # bytes from the word's start, bits


def run(function: Function) -> bool:
    """All slots."""
    split: dict[Load, list[Part]] = {}
    used: dict[Value, list[Op]] | None = None
    for accesses in accesses_of(function).values():
        if not any(type(op) is Store and op.bits < 64 for op in accesses):
            continue
        used = uses(function) if used is None else used
        words: dict[tuple[int, int], list[Load]] = {}
        for op in accesses:
            if type(op) is Load:
                words.setdefault((op.offset, op.bits), []).append(op)
        for loads in words.values():
            parts = _parts(loads[0], accesses) if all(_copied(load, used) for load in loads) else []
            if len(parts) > 1:
                split.update(dict.fromkeys(loads, parts))
    if split:
        _copy_parts(function, split)
    return bool(split)


def _copy_parts(function: Function, split: dict[Load, list[Part]]) -> None:
    """Loads of the parts in place of each load, and stores of them in place of its stores."""
    pieces: dict[Value, list[Load]] = {
        op: [Load(op.addr, op.offset + at, bits, name=op.name, span=op.span) for at, bits in parts]
        for op, parts in split.items()
    }
    for block in function.blocks:
        ops: list[Op] = []
        for op in block.ops:
            if op in pieces:
                ops += pieces[op]
            elif type(op) is Store and op.value in pieces:
                start = pieces[op.value][0].offset
                ops += [
                    Store(op.addr, op.offset + each.offset - start, each.bits, each, op.span)
                    for each in pieces[op.value]
                ]
            else:
                ops.append(op)
        block.ops = ops


def _copied(load: Load, used: dict[Value, list[Op]]) -> bool:
    """Whether the word is a number that is only stored, as a whole."""
    users = used.get(load, [])
    return (
        load.kind == "int"
        and load.core is None
        and bool(users)
        and all(type(op) is Store and op.value is load and op.addr is not load and op.bits == load.bits for op in users)
    )


def _parts(word: Load, accesses: list[Load | Store]) -> list[Part]:
    """The parts of the word that are stored by themselves, and what lies between them; none if some don't fit."""
    first, end = word.offset, word.offset + word.bits // 8
    found: set[Part] = set()
    for op in accesses:
        if op.offset + op.bits // 8 <= first or op.offset >= end:
            continue
        if op.offset < first or op.offset + op.bits // 8 > end:
            return []
        if type(op) is Store or op.bits < word.bits:
            found.add((op.offset - first, op.bits))
    parts: list[Part] = []
    at = 0
    for offset, bits in sorted(found):
        if offset < at or offset % (bits // 8):
            return []
        parts += [*_between(at, offset), (offset, bits)]
        at = offset + bits // 8
    return [*parts, *_between(at, end - first)]


def _between(start: int, end: int) -> list[Part]:
    """Bytes that nothing stores by themselves, in aligned pieces."""
    parts = []
    while start < end:
        size = next(size for size in (8, 4, 2, 1) if start % size == 0 and start + size <= end)
        parts.append((start, 8 * size))
        start += size
    return parts
