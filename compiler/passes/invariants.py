"""Computes in front of a loop what is the same in each of its turns.

    @entry:                                   @entry:
      br eq %n, 0, @out, @loop                  br eq %n, 0, @out, @before
    @loop:                                    @before:
      %1 = phi @entry: 0, @loop: %4             %2 = load.u32 [%p+12]
      %2 = load.u32 [%p+12]            =>       %3 = swap.32 %2
      %3 = swap.32 %2                           jump @loop
      %4 = add %1, %3                         @loop:
      br ult %4, %n, @loop, @out                %1 = phi @before: 0, @loop: %4
                                                %4 = add %1, %3
                                                br ult %4, %n, @loop, @out

The verifier walks a loop turn by turn, so each instruction in it counts as often. Only what stands in the loop's first
block is moved, which every turn begins with: nothing is computed that was not before, and no check lies between a load
and where it goes. Loads are moved from where the context is, and from slots and packets if nothing in the loop writes
there; what others may write to is read each time.

A value that is kept throughout a loop takes a register. Where there may be none left (of four, if the loop calls), it
must stand for at least two instructions, as reading it back from the stack is one. What takes no instruction of its
own, or one that needs nothing else (constants, addresses of slots and maps), stays.
"""

from __future__ import annotations

from pybpf.compiler.analysis.calls import filled
from pybpf.compiler.analysis.liveness import liveness
from pybpf.compiler.analysis.loops import loops
from pybpf.compiler.analysis.places import PACKET, apart, origin
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Block, Slot
from pybpf.compiler.ir.ops import CALLS, Const, Guard, Jump, Load
from pybpf.compiler.passes.cfg import fresh_label, retarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.analysis.loops import Loop
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["run"]

ACROSS_CALLS = 4  # registers that calls leave alone
REGISTERS = 8  # those that a loop without calls can do with, less what its turns compute with
_MOVED = (ops.Binary, ops.Extend, ops.Swap, ops.PtrAdd, Load)


def run(function: Function) -> bool:
    """Inner loops first: what leaves them may leave the loops around them, too."""
    if not _may_loop(function):
        return False
    changed = False
    for loop in reversed(loops(function)):
        changed |= _loop(function, loop)
    return changed


def _may_loop(function: Function) -> bool:
    position = {block: number for number, block in enumerate(function.blocks)}
    return any([position[t] <= position[block] for block in function.blocks for t in block.successors()])


def _loop(function: Function, loop: Loop) -> bool:
    inside = {op for block in loop.body for op in block.ops}
    entries = [block for block in function.predecessors()[loop.header] if block not in loop.body]
    moved, guarded = _same_each_turn(loop, inside)
    ends: set[Value] = set()
    while moved and len(entries) == 1:
        ends = {v for op in function.ops() if op not in moved for v in op.args() if v in moved}
        folded = [op for op in ends if _is_folded(op)]
        if not folded:
            break
        for op in folded:
            del moved[op]
    if not moved or len(entries) != 1 or not _is_worth(function, loop, moved, guarded):
        return False
    placed: list[Op] = []
    guards: dict[Value, Value] = {}
    for op in moved.values():
        for value in op.args():
            if type(value) is Guard and value in guarded and value not in guards:
                guards[value] = guard = Guard(guarded[value], value.kind, value.name, value.span)
                placed.append(guard)
        op.map_args(lambda value: guards.get(value, value))
        placed.append(op)
    loop.header.ops = [op for op in loop.header.ops if op not in moved]
    _put(function, entries[0], loop.header, placed)
    return True


def _same_each_turn(loop: Loop, inside: set[Op]) -> tuple[dict[Value, Op], dict[Value, Value]]:
    """What of the loop's first block may be moved, in order; and what its guards guard that let values through."""
    moved: dict[Value, Op] = {}
    guarded: dict[Value, Value] = {}
    begun = False  # whether the turn has done anything
    for op in loop.header.ops:
        begun = begun or op.effect
        known = all([v not in inside or v in moved or v in guarded for v in op.args()])
        if type(op) is Guard and known and not begun:
            guarded[op] = guarded.get(op.value, op.value)
        elif type(op) in _MOVED and known and (type(op) is not Load or (not begun and _stays(op, inside))):
            moved[op] = op
    return moved, guarded


def _stays(load: Load, inside: set[Op]) -> bool:
    """The loop does not change what is loaded, nor does anyone else."""
    if load.constant:
        return True
    wholes = origin(load.addr, load.offset)[2]
    if wholes is None or load.core is not None or not all([type(w) is Slot or w == PACKET for w in wholes]):
        return False
    written: list[Value] = []
    for op in inside:
        if type(op) in (ops.Store, ops.Atomic):
            written.append(op.args()[0])
        elif type(op) in CALLS:
            places = filled(op)
            if places is None:
                return False
            written += [addr for addr, _ in places]
    return all([apart(wholes, origin(addr, 0)[2]) for addr in written])


def _is_folded(op: Value) -> bool:
    """An address at a constant distance costs nothing where it is used."""
    return type(op) is ops.PtrAdd and type(op.offset) is Const


def _is_worth(function: Function, loop: Loop, moved: dict[Value, Op], guarded: dict[Value, Value]) -> bool:
    """There are registers for what is kept throughout the loop, or much is saved."""
    inside = [op for block in loop.body for op in block.ops if op not in moved and op not in guarded]
    used = {guarded.get(v, v) for op in inside for v in op.args()}
    kept = [op for op in moved if op in used]
    if sum([not _is_folded(op) for op in moved]) >= 2 * len(kept):
        return True
    live = liveness(function)
    header = loop.header
    before = live.members(live.live_in[header])
    after = {target for block in loop.body for target in block.successors() if target not in loop.body}
    later = {value for target in after for value in live.members(live.live_in[target])}
    free = [v for op in moved.values() for v in op.args()]
    gone = {guarded.get(v, v) for v in free} - used - later
    count = len(header.phis()) + len([v for v in before if v not in gone]) + len(kept)
    calls = any([type(op) in CALLS for op in inside])
    return count <= (ACROSS_CALLS if calls else REGISTERS)


def _put(function: Function, entry: Block, header: Block, moved: list[Op]) -> None:
    """In front of the loop, in a block of their own if control may go elsewhere from there."""
    if type(entry.ops[-1]) is Jump:
        entry.ops[-1:-1] = moved
        return
    before = Block(fresh_label("before", {block.label for block in function.blocks}), [*moved, Jump(header)])
    retarget(entry, header, before)
    for phi in header.phis():
        phi.incoming = [(before if b is entry else b, v) for b, v in phi.incoming]
    function.blocks.insert(function.blocks.index(header), before)
