"""Reads at once what is read byte by byte and put together.

    %1 = load.u8 [%p+0]
    %2 = load.u8 [%p+1]
    %3 = shl %1, 8                   %5 = load.u16 [%p+0]
    %4 = or %3, %2            =>     %6 = swap.16 %5
    %5 = load.u16 [%p+2]             %7 = load.u16 [%p+2]
    ...                              ...

A tree of `or` and `add` whose leaves are loads from places side by side, each shifted to where the one before ends, is
one load, and a swap where the first byte is the highest. What is loaded is used for nothing else, and nothing is
written between the first load and the last. From where the kernel takes such a load: slots and what helpers return, if
the place is aligned (also at a distance that the verifier knows is a multiple of the size), and packets where the
machine may read at any address.
"""

from __future__ import annotations

from pybpf.compiler.analysis.places import is_aligned, is_in_packet, origin
from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.analysis.uses import count_uses
from pybpf.compiler.ir.ops import Binary, Const, Guard, Load, PtrAdd, Swap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pybpf.compiler.ir.function import Block, Function
    from pybpf.compiler.ir.ops import Op, Value

    Leaf: TypeAlias = "tuple[Load, int, bool]"  # how far its value is shifted, and whether its bytes are swapped

__all__ = ["run"]

_TOGETHER = ("or", "add")
SIZES = (16, 32, 64)
DEPTH = 12  # of trees that are looked at: eight bytes in a row take seven sums and a shift


def run(function: Function) -> bool:
    """Block by block, trees from their roots."""
    words = None
    changed = False
    for block in function.blocks:
        if sum([type(op) is Load for op in block.ops]) > 1 and any([_is_node(op) for op in block.ops]):
            words = words or _Words(function)
            changed |= words.block(block)
    if words is not None:
        function.replace_uses(words.new)
    return changed


def _is_node(value: Value) -> bool:
    return type(value) is Binary and value.op in _TOGETHER and type(value.rhs) is not Const


class _Words:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.count = count_uses(function)
        self.ranges = Ranges()
        self.new: dict[Value, Value] = {}

    def block(self, block: Block) -> bool:
        index = {op: n for n, op in enumerate(block.ops)}
        done: set[Value] = set()  # what trees that have become words were made of
        made: dict[int, list[Op]] = {}  # what stands in the place of operations, by their index
        for root in reversed(block.ops):
            if not _is_node(root) or root in done:
                continue
            nodes: list[Op] = []
            leaves = self.leaves(root, 0, index, nodes, DEPTH)
            found = _in_order(leaves) if leaves else None
            if found is None:
                continue
            first, bits, shift, swapped = found
            places = [index[load] for load, _, _ in leaves or ()]
            if not self.takes(first, bits) or not _quiet(block.ops[min(places) : max(places)]):
                continue
            load = Load(first.addr, first.offset, bits, name=first.name, span=first.span)
            done.update(nodes)
            made.update({index[op]: [] for op in nodes})
            made[max(places)] = [load]
            steps: list[Op] = [Swap(load, bits, root.name, root.span)] if swapped else []
            if shift:
                steps.append(Binary("shl", steps[-1] if steps else load, Const(shift), 64, root.name, root.span))
            made[index[root]] = steps
            self.new[root] = steps[-1] if steps else load
        if made:
            block.ops = [each for n, op in enumerate(block.ops) for each in made.get(n, (op,))]
        return bool(made)

    def leaves(self, value: Value, shift: int, index: dict[Op, int], nodes: list[Op], depth: int) -> list[Leaf] | None:
        """The loads that the value is put together of, and where; None if of anything else. `nodes`: all met."""
        if not depth:
            return None
        if type(value) is Binary and value.op in _TOGETHER and type(value.rhs) is not Const:
            nodes.append(value)
            found: list[Leaf] = []
            for operand in (value.lhs, value.rhs):
                once = self.count[operand] == 1
                leaves = self.leaves(operand, shift, index, nodes, depth - 1) if once else None
                if leaves is None:
                    return None
                found += leaves
            return found if all([at - shift + load.bits <= value.width for load, at, _ in found]) else None
        if type(value) is Binary and value.op == "shl" and type(value.rhs) is Const and self.count[value.lhs] == 1:
            by, field = value.rhs.value, value.lhs
            bits = field.bits if type(field) is Swap else self.ranges.of(field)[1].bit_length()
            if not 0 <= by <= value.width - bits:
                return None
            nodes.append(value)
            return self.leaves(field, shift + by, index, nodes, depth - 1)
        load, swapped = value, False
        if type(value) is Swap:
            load, swapped = value.value, True
        if type(load) is not Load or load not in index or self.count[load] != 1:
            return None
        if type(value) is Swap and value.bits != load.bits:
            return None
        if load.signed or load.constant or load.core is not None or load.kind != "int":
            return None
        nodes += [load, value] if type(value) is Swap else [load]
        return [(load, shift, swapped)]

    def takes(self, load: Load, bits: int) -> bool:
        """Whether the kernel takes a load of so many bits from there."""
        size = bits // 8
        addr, offset = load.addr, load.offset
        if is_in_packet(addr):
            return self.function.unaligned
        while type(addr) is Guard or (type(addr) is PtrAdd and self.ranges.of(addr.offset)[2] % size == 0):
            addr = addr.args()[0]
        return is_aligned(addr) and origin(addr, offset)[1] % size == 0


def _quiet(between: list[Op]) -> bool:
    """Nothing there writes to memory, or moves a packet."""
    return not any([op.effect for op in between])


def _in_order(leaves: list[Leaf]) -> tuple[Load, int, int, bool] | None:
    """(the load from the lowest place, bits of all, how far they are shifted, whether the highest byte comes first)."""
    leaves = sorted(leaves, key=lambda leaf: leaf[1])
    lowest = leaves[0][1]
    at = lowest
    for load, shift, _ in leaves:  # without a gap
        if shift != at:
            return None
        at += load.bits
    bits = at - lowest
    if bits not in SIZES or at > 64:
        return None
    swapped = leaves[0][2] if leaves[0][0].bits > 8 else _offset(leaves[0]) > _offset(leaves[-1])
    if any([kept != swapped for load, _, kept in leaves if load.bits > 8]):
        return None
    ordered = leaves[::-1] if swapped else leaves
    start, offset = ordered[0][0], _offset(ordered[0])
    place = origin(start.addr, start.offset)[0]
    for load, _, _ in ordered:
        if _offset((load, 0, False)) != offset or origin(load.addr, load.offset)[0] != place:
            return None
        offset += load.bits // 8
    return start, bits, lowest, swapped


def _offset(leaf: Leaf) -> int:
    return origin(leaf[0].addr, leaf[0].offset)[1]
