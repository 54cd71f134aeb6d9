"""IR functions to machine code: `compile_function(function, level)` in one readable line of passes.

Those in CODE_PASSES only make code better; each can be left out.

machine.py    instructions, blocks and functions over virtual or physical registers
isel.py       instruction selection (isel_arith.py, isel_compare.py, isel_memory.py: its rules)
order.py      order of blocks, loops
liveness.py, intervals.py   where each virtual register lives
regalloc.py   linear scan: a register or memory for each part of each life
homes.py      which values had better stay in memory
rewrite.py    registers put in, with the moves that this takes (moves.py)
spillslots.py which values in memory share a slot
checker/      proof that the bytes do what was selected, for tests
refresh.py    what tests have told of numbers in memory
peephole.py   moves that do nothing; latches.py: those at the end of a loop's turn
colouring.py  which stack slots lie on the same bytes
frame.py      the stack; chains.py: that of functions which call each other
endings.py    code that ends alike
layout.py     jumps and branches in the order of blocks
farjump.py    jumps over more than 32767 slots
emit.py       bytes, relocations, line records
names.py      which Python variable each register holds, for messages
dump.py       text of all this
"""

from __future__ import annotations

from pybpf.compiler.codegen.emit import emit
from pybpf.compiler.codegen.farjump import bring_into_reach
from pybpf.compiler.codegen.frame import lay_out_frame
from pybpf.compiler.codegen.intervals import build
from pybpf.compiler.codegen.isel import select
from pybpf.compiler.codegen.layout import lay_out_blocks
from pybpf.compiler.codegen.liveness import live_masks
from pybpf.compiler.codegen.peephole import drop_redundant_moves
from pybpf.compiler.codegen.regalloc import allocate
from pybpf.compiler.codegen.rewrite import rewrite
from pybpf.compiler.ir.ops import Asm, CallHelper, FuncAddr

CALLS_LATER = (170,)  # helpers whose callback runs by itself: bpf_timer_set_callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.codegen.machine import MFunction
    from pybpf.compiler.ir.function import Function

__all__ = ["CODE_PASSES", "allocate_registers", "compile_function"]

# name (of the module too), what it is about
CODE_PASSES = (
    ("order", "short ways through loops first"),
    ("homes", "values that stay in memory"),
    ("peephole", "moves that do nothing"),
    ("latches", "moves at the end of a loop's turn"),
    ("colouring", "stack slots on the same bytes"),
    ("endings", "code that ends alike"),
)


def compile_function(
    function: Function,
    level: int = 3,
    check: Callable[[MFunction], Callable[[MachineCode], None]] | None = None,
    skip: Collection[str] = (),
    kernel: tuple[int, int] = (6, 1),
) -> MachineCode:
    """Machine code of ISA level 1 to 4, for a kernel and newer ones. `skip` names those of CODE_PASSES to leave out.

    `check` is called with the function before registers are allocated, and what it returns with the code at the end
    (checker/ has one). Raises StackOverflow (frame.py) if the function's own frame is over 512 bytes.
    """
    selected = select(function, level, "order" not in skip)
    checker = check(selected) if check is not None else None
    allocated = allocate_registers(selected, "homes" not in skip)
    phis = frozenset([v for block in selected.blocks for v in block.params])
    if "peephole" not in skip:
        drop_redundant_moves(allocated, phis)
    if "latches" not in skip and any([block.depth for block in selected.blocks]):
        from pybpf.compiler.codegen.latches import lift_moves_of_latches

        lift_moves_of_latches(allocated)
    if allocated.spills and kernel < (6, 9):
        from pybpf.compiler.codegen.refresh import store_what_was_tested

        store_what_was_tested(function, selected.tested, allocated)
    groups = None
    if len(selected.slots) > 1 and "colouring" not in skip:
        from pybpf.compiler.codegen.colouring import colour_slots

        groups = colour_slots(selected)
    frame = lay_out_frame(allocated, groups)
    lines = bring_into_reach(allocated, lay_out_blocks(allocated, "endings" not in skip))
    code = emit(allocated, lines, frame, function.span)
    if checker is not None:
        checker(code)
    calls = [op for op in function.ops() if type(op) is CallHelper]
    code.helpers = {op.id: op.helper for op in calls}
    for asm in [op for op in function.ops() if type(op) is Asm]:
        from pybpf.compiler.codegen.inline import named_helpers

        code.helpers.update(named_helpers(asm.text))
    later = [value for op in calls if op.id in CALLS_LATER for value in op.arguments]
    code.later = frozenset([value.symbol for value in later if type(value) is FuncAddr])
    return code


def allocate_registers(selected: MFunction, in_memory: bool = True) -> MFunction:
    """The same function over physical registers. `in_memory`: values may have their home there (homes.py)."""
    live_in, live_out = live_masks(selected)
    live = build(selected, live_out)
    parts = allocate(live)
    made = rewrite(selected, live, parts, live_in)
    if not made.spills or not in_memory:
        return made
    from pybpf.compiler.codegen.homes import choose_homes, cost

    homes = choose_homes(selected, live, parts)
    if not homes:
        return made
    live = build(selected, live_out, homes)
    other = rewrite(selected, live, allocate(live), live_in)
    return other if cost(other) < cost(made) else made
