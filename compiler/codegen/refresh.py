"""Numbers that lie in memory are stored again where a test has told more of them.

    r0 = *(u64 *)(r10 -48)                 r0 = *(u64 *)(r10 -48)
    if r0 > 12 goto @out                   if r0 > 12 goto @out
    ...                             ->     *(u64 *)(r10 -48) = r0
    r1 = *(u64 *)(r10 -48)                 ...
    r6 += r1                               r1 = *(u64 *)(r10 -48)
                                           r6 += r1

Before Linux 6.9 the verifier does not know that a spill slot holds what a register does (kernel/bpf/verifier.c,
check_stack_write_fixed_off): what it learns of the register it does not learn of the slot. An allocated function in,
the same changed in place. Stored is what a branch compared with a constant, where the register holds what some slot
does, the slot is read later on that way, and an address, a size or another argument is computed from the number.
"""

from __future__ import annotations

from pybpf.compiler.analysis.uses import is_measure, uses
from pybpf.compiler.codegen.liveness import read_before_written
from pybpf.compiler.codegen.machine import ALLOCATABLE, BRANCH_K, JUMP, MOV_X, RELOAD, SPILL, MBlock, MInsn
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybpf.compiler.codegen.machine import MFunction
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["store_what_was_tested"]

_EQUAL = {op.JEQ: 0, op.JNE: 1}  # which successor they tell something of
_NOTHING = (op.JSET,)

Held = list[int]  # for each register, then for each spill slot, a number: the same where the same is held


def store_what_was_tested(function: Function, tested: dict[int, Value], fn: MFunction) -> None:
    """`tested` are the virtual registers that were compared with constants, and their values in the IR."""
    found = [block for block in fn.blocks if block.insns[-1].form is BRANCH_K]
    if not found:
        return
    held = _held_at_end(fn)
    read = _read_from(fn)
    users: dict[Value, list[Op]] | None = None
    wanted: dict[int, bool] = {}
    for block in found:
        branch = block.insns[-1]
        same = held[block][branch.srcs[0]]
        slots = sum([1 << slot for slot, value in enumerate(held[block][ALLOCATABLE:]) if value == same])
        kind = branch.op & 0xF0
        if not slots or kind in _NOTHING or branch.origin is None:
            continue
        v = branch.origin.srcs[0]
        for which, target in enumerate(block.succs):
            live = slots & read[target]
            if not live or which != _EQUAL.get(kind, which) or v not in tested:
                continue
            if v not in wanted:
                users = uses(function) if users is None else users
                wanted[v] = is_measure(tested[v], users)
            if wanted[v]:
                _store(fn, block, which, v, live)


def _store(fn: MFunction, block: MBlock, which: int, v: int, slots: int) -> None:
    """On an edge, into each of the slots."""
    branch, target = block.insns[-1], block.succs[which]
    code = [
        MInsn(SPILL, 0, -1, branch.srcs, imm=slot, vreg=v, span=branch.span)
        for slot in range(slots.bit_length())
        if slots >> slot & 1
    ]
    if len(target.preds) == 1 and block.succs[0] is not block.succs[1]:
        target.insns[:0] = code
        return
    between = MBlock(f"{block.label}.{target.label}", depth=min(block.depth, target.depth))
    between.insns = [*code, MInsn(JUMP, op.GOTO, span=branch.span)]
    between.succs, between.preds = [target], [block]
    block.succs[which] = between
    target.preds[target.preds.index(block)] = between
    fn.blocks.insert(fn.blocks.index(block) + 1, between)


def _held_at_end(fn: MFunction) -> dict[MBlock, Held]:
    """Which places certainly hold the same at the end of each block."""
    places = ALLOCATABLE + max(fn.spills.values()) + 1
    starts: dict[MBlock, Held] = {fn.blocks[0]: list(range(places))}
    ends: dict[MBlock, Held] = {}
    work = [fn.blocks[0]]
    while work:
        block = work.pop()
        after = ends[block] = _after(block.insns, starts[block])
        for target in block.succs:
            known = starts.get(target)
            met = _numbered(after if known is None else list(zip(known, after)))
            if met != known:
                starts[target] = met
                work.append(target)
    return ends


def _numbered(held: Sequence[object]) -> Held:
    """The same places equal, by small numbers."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in held]


def _after(insns: list[MInsn], held: Held) -> Held:
    held = list(held)
    count = len(held)
    for insn in insns:
        form = insn.form
        if form is SPILL:
            held[ALLOCATABLE + insn.imm] = held[insn.srcs[0]]
        elif form is RELOAD:
            held[insn.dst] = held[ALLOCATABLE + insn.imm]
        elif form is MOV_X and insn.op == op.MOV_REG and not insn.off and insn.srcs[0] < ALLOCATABLE:
            held[insn.dst] = held[insn.srcs[0]]
        else:
            written = form.clobbers | (1 << insn.dst if insn.dst >= 0 else 0)
            for reg in range(ALLOCATABLE):
                if written >> reg & 1:
                    held[reg] = count
                    count += 1
    return held


def _read_from(fn: MFunction) -> dict[MBlock, int]:
    """The slots that are read before they are written, from the start of each block."""
    gen: dict[MBlock, int] = {}
    kept: dict[MBlock, int] = {}
    for block in fn.blocks:
        reads = written = 0
        for insn in reversed(block.insns):
            if insn.form is RELOAD:
                reads |= 1 << insn.imm
                written &= ~(1 << insn.imm)
            elif insn.form is SPILL:
                reads &= ~(1 << insn.imm)
                written |= 1 << insn.imm
        gen[block], kept[block] = reads, ~written
    return read_before_written(fn, gen, kept)
