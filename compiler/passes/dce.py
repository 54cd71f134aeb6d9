"""Removes what nothing needs.

    %1 = add %0, 1                      %1 = add %0, 1
    %2 = mul %1, %1              =>     ret %1
    %3 = load.u32 [%ctx+0]
    ret %1

Needed is what has an effect, and whatever that uses. An atomic operation whose old value nobody reads stops fetching
it. Slots whose address nobody takes go too.
"""

from __future__ import annotations

from pybpf.compiler.ir.ops import Atomic, SlotAddr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Value

__all__ = ["run"]


def run(function: Function) -> bool:
    """Mark from the effects, then sweep."""
    needed: set[Value] = set()
    work: list[Value] = [op for op in function.ops() if op.effect]
    read: set[Value] = set()
    while work:
        op = work.pop()
        if op in needed:
            continue
        needed.add(op)
        args = getattr(op, "args", None)
        if args is not None:
            for value in args():
                read.add(value)
                work.append(value)
    changed = False
    for block in function.blocks:
        kept = [op for op in block.ops if op in needed]
        if len(kept) != len(block.ops):
            block.ops = kept
            changed = True
        for op in kept:
            if type(op) is Atomic and op.fetch and op not in read and op.op not in ("xchg", "cmpxchg"):
                op.fetch = False
                changed = True
    used = {op.slot for op in function.ops() if type(op) is SlotAddr}
    if len(used) != len(function.slots):
        function.slots = [slot for slot in function.slots if slot in used]
        changed = True
    return changed
