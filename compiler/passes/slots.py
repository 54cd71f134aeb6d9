"""Keeps in registers what a stack slot would hold.

      %1: ptr = slot $0.x                 br eq %0, 0, @a, @b
      store.32 [%1+0], 7                @a:
      br eq %0, 0, @a, @b         =>      jump @b
    @a:                                 @b:
      %2: ptr = slot $0.x                 %3 = phi @entry: 7, @a: %0
      store.32 [%2+0], %0                 %4 = zext.32 %3
      jump @b                             ret %4
    @b:
      %3: ptr = slot $0.x
      %4 = load.u32 [%3+0]
      ret %4

A part of a slot becomes a value when the slot's address is used by loads and stores only, and every access to the part
reads or writes just that part. Stores to slots that nobody reads go away. What is read before it was ever written is 0.
"""

from __future__ import annotations

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.ir.ops import Const, Extend, Load, SlotAddr, Store
from pybpf.compiler.passes.ssa import Reaching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block, Function, Slot
    from pybpf.compiler.ir.ops import Op, Value

    Cell = tuple[Slot, int, int]  # slot, offset, bits

__all__ = ["accesses_of", "run"]


def run(function: Function) -> bool:
    """Promote all cells that can be."""
    accesses = accesses_of(function)
    cells = {op: cell for slot, ops in accesses.items() for op, cell in _cells(slot, ops).items()}
    if not cells:
        return False
    _Promote(function, cells).run()
    return True


def accesses_of(function: Function) -> dict[Slot, list[Load | Store]]:
    """Loads and stores of each slot whose address goes nowhere else."""
    found: dict[Slot, list[Load | Store]] = {slot: [] for slot in function.slots}
    for op in function.ops() if found else ():
        for n, value in enumerate(op.args()):
            if type(value) is not SlotAddr or value.slot not in found:
                continue
            if type(op) is Load or (type(op) is Store and n == 0 and op.value is not value):
                found[value.slot].append(op)
            else:
                del found[value.slot]
    return found


def _cells(slot: Slot, ops: list[Load | Store]) -> dict[Op, Cell]:
    """The cell of each access that can be promoted."""
    if not any(type(op) is Load for op in ops):
        return {op: (slot, op.offset, op.bits) for op in ops}
    groups: dict[tuple[int, int], list[Load | Store]] = {}
    for op in ops:
        groups.setdefault((op.offset, op.bits), []).append(op)
    apart = {
        (offset, bits)
        for offset, bits in groups
        if all((o, b) == (offset, bits) or o + b // 8 <= offset or offset + bits // 8 <= o for o, b in groups)
    }
    found: dict[Op, Cell] = {}
    for part, members in groups.items():
        if part in apart and _one_kind(members):
            for op in members:
                found[op] = (slot, *part)
    return found


def _one_kind(ops: list[Load | Store]) -> bool:
    """Only ints, or only pointers (and null), go in and come out."""
    kinds = {
        op.kind if type(op) is Load else op.value.kind  # type: ignore[union-attr]
        for op in ops
        if not (type(op) is Store and type(op.value) is Const and op.value.value == 0)
    }
    return len(kinds) <= 1


class _Promote:
    def __init__(self, function: Function, cells: dict[Op, Cell]) -> None:
        self.function = function
        self.cells = cells
        self.tree = dominators(function)
        self.frontiers = self.tree.frontiers()
        self.last: dict[Cell, dict[Block, Value]] = {}  # the value each block leaves in a cell
        self.kinds: dict[Cell, str] = {}
        for block in function.blocks:
            for op in block.ops:
                cell = cells.get(op)
                if cell is not None and type(op) is Store:
                    self.last.setdefault(cell, {})[block] = op.value
                elif cell is not None and type(op) is Load:
                    self.kinds[cell] = op.kind
        self.reaching: dict[Cell, Reaching] = {}

    def run(self) -> None:
        new: dict[Value, Value] = {}
        for block in self.function.blocks:
            now: dict[Cell, Value] = {}
            kept: list[Op] = []
            for op in block.ops:
                cell = self.cells.get(op)
                if cell is None:
                    kept.append(op)
                elif type(op) is Store:
                    now[cell] = op.value
                elif type(op) is Load:
                    if cell not in now:
                        now[cell] = self.at_start(cell, block)
                    if op.bits == 64:
                        new[op] = now[cell]
                    else:
                        kept.append(Extend(now[cell], op.bits, op.signed, op.name, op.span))
                        new[op] = kept[-1]
            block.ops = kept
        for cell in self.reaching:
            self.reaching[cell].finish()
        self.function.replace_uses(new)

    def at_start(self, cell: Cell, block: Block) -> Value:
        if cell not in self.reaching:
            self.reaching[cell] = Reaching(
                self.tree, self.frontiers, self.last.get(cell, {}), self.kinds[cell], cell[0].name, Const(0)
            )
        return self.reaching[cell].at_start(block)
