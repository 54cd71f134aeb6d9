"""Proof that an allocation is right: every use reads the value that it read before allocation.

The function before allocation names values by virtual registers; the one after has registers and spill slots. For each
point of the code after allocation, and each place (register or slot), the checker computes

    held[place] = the set of virtual registers whose value the place certainly holds there

as a forward analysis. The lattice of one place is that of sets, ordered by inclusion: the more a set has, the more is
known; the top element, "all of them", stands for code not reached yet, the bottom, the empty set, for "nothing
known". Where paths meet, a place holds what it holds on all of them: the intersection. A walk over

    a move (copy, spill, reload)       the destination holds what the source holds
    a recipe computed into a register  the register holds just that recipe's value, if it is really that recipe
    a destroyed register               holds nothing
    an instruction that defines v      no place holds v any more (it may be an older v, of a loop's earlier turn); the
                                       result's register holds just v; if it is v = u, v is the same value as u, and
                                       each place that holds u holds v too
    an edge that passes a to p         all at once: no place holds p any more, but each that holds a holds p as well

and whenever an instruction of the original code reads v in a place, v must be in that place's set. Sets only shrink as
the analysis goes round, so it ends. Besides, the code after allocation must be the original instructions in the
original order, blocks and edges, with nothing between them but moves and recipes; and operands must obey the form
(tied, fixed, early). The checker shares no code with the allocator.
"""

from __future__ import annotations

from pybpf.compiler.codegen import machine as m
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MBlock, MFunction, MInsn

__all__ = ["WrongAllocation", "check_allocation"]

State = dict[int, frozenset[int]]  # registers 0 to 10; ~number for slots. A place that is not there holds nothing
NOTHING: frozenset[int] = frozenset()
ARGUMENTS = 5


class WrongAllocation(AssertionError):
    """The code after allocation does not compute what the code before did; says where and why."""


def check_allocation(before: MFunction, after: MFunction) -> None:
    """Raise WrongAllocation unless `after` is a right allocation of `before`."""
    edges = _match_blocks(before, after)
    entry: State = {m.FRAME_POINTER: frozenset({m.FRAME_POINTER})}
    for index, v in enumerate(before.params[:ARGUMENTS]):
        if v >= 0:
            entry[index + 1] = frozenset({v})
    at_start: dict[MBlock, State] = {after.blocks[0]: entry}
    work = [after.blocks[0]]
    while work:
        block = work.pop()
        state = dict(at_start[block])
        for insn in block.insns:
            _step(before, insn, state)
        for which, target in enumerate(block.succs):
            arrives = _pass(before, edges.get((block, which)), state)
            known = at_start.get(target)
            met = arrives if known is None else _meet(known, arrives)
            if met != known:
                at_start[target] = met
                work.append(target)
    for block in after.blocks:
        if block not in at_start:
            raise WrongAllocation(f"{block.label} is not reached")
        state = dict(at_start[block])
        for insn in block.insns:
            _check_insn(block, insn, state)
            _step(before, insn, state)


def _match_blocks(before: MFunction, after: MFunction) -> dict[tuple[MBlock, int], tuple[list[int], list[int]]]:
    """Parameters and arguments of the original edge behind each edge. Checks that blocks and code correspond."""
    mine = {block.number: block for block in after.blocks if block.number >= 0}
    if sorted(mine) != list(range(len(before.blocks))) or after.blocks[0].number != 0:
        raise WrongAllocation("the blocks are not those of the original")
    edges = {}
    for block in before.blocks:
        new = mine[block.number]
        kept = [insn.origin for insn in new.insns if insn.origin is not None]
        if len(kept) != len(block.insns) or any(a is not b for a, b in zip(kept, block.insns, strict=True)):
            raise WrongAllocation(f"{block.label}: instructions are missing, moved or doubled")
        if len(new.succs) != len(block.succs):
            raise WrongAllocation(f"{block.label} has other successors")
        for which, target in enumerate(block.succs):
            landing = new.succs[which]
            edges[new, which] = (target.params, block.args[which])
            if landing.number < 0:
                # The moves pass the arguments, so parameters have their new values behind them.
                edges[landing, 0] = edges.pop((new, which))
                if any(insn.origin is not None for insn in landing.insns) or len(landing.succs) != 1:
                    raise WrongAllocation(f"{landing.label} is not just moves on an edge")
                landing = landing.succs[0]
            if landing.number != target.number:
                raise WrongAllocation(f"{block.label} goes on at {landing.label} instead of {target.label}")
    return edges


def _step(before: MFunction, insn: MInsn, state: State) -> None:
    """Change `state` as the instruction does."""
    if insn.origin is None:
        if insn.form is m.SPILL:
            state[~insn.imm] = state.get(insn.srcs[0], NOTHING)
        elif insn.form is m.RELOAD:
            state[insn.dst] = state.get(~insn.imm, NOTHING)
        elif insn.form is m.MOV_X and insn.op == op.MOV_REG:
            state[insn.dst] = state.get(insn.srcs[0], NOTHING)
        elif insn.form is not m.JUMP:
            recipe = before.recipes.get(insn.vreg)
            same = recipe is not None and (insn.form, insn.op, insn.imm, insn.ref) == (
                recipe.form, recipe.op, recipe.imm, recipe.ref,
            )  # fmt: skip
            state[insn.dst] = frozenset({insn.vreg}) if same else NOTHING
        return
    for reg in range(m.ALLOCATABLE):
        if insn.form.clobbers >> reg & 1:
            state[reg] = NOTHING
    defined = insn.origin.dst
    if defined >= 0:
        _forget(state, {defined})
        if insn.form is m.MOV_X and insn.op == op.MOV_REG and not insn.off:
            state[insn.dst] = state.get(insn.srcs[0], NOTHING) - {defined}
            source = insn.origin.srcs[0]
            for place, held in state.items():
                if source in held:
                    state[place] = held | {defined}
        else:
            state[insn.dst] = frozenset({defined})
    elif insn.dst >= 0:
        state[insn.dst] = NOTHING


def _forget(state: State, gone: set[int]) -> None:
    for place, held in state.items():
        if not held.isdisjoint(gone):
            state[place] = held - gone


def _pass(before: MFunction, edge: tuple[list[int], list[int]] | None, state: State) -> State:
    """The state behind an edge that passes arguments to parameters."""
    if edge is None or not edge[0]:
        return dict(state)
    params, args = edge
    gone = frozenset(params)
    behind = {}
    for place, held in state.items():
        got = [param for param, arg in zip(params, args, strict=True) if arg in held]
        behind[place] = (held - gone).union(got)
    return behind


def _meet(first: State, second: State) -> State:
    return {place: held & second[place] for place, held in first.items() if place in second}


def _check_insn(block: MBlock, insn: MInsn, state: State) -> None:
    """The instruction reads the right values in legal places; `state` is what holds in front of it."""
    origin = insn.origin
    if insn.dst == m.FRAME_POINTER:
        raise WrongAllocation(f"{block.label}: R10 is written")
    if origin is None:
        return
    form = origin.form
    if (insn.form, insn.op, insn.off, insn.imm, insn.ref) != (form, origin.op, origin.off, origin.imm, origin.ref):
        raise WrongAllocation(f"{block.label}: {form.name} is another instruction than before")
    if len(insn.srcs) != len(origin.srcs):
        raise WrongAllocation(f"{block.label}: {form.name} has another number of operands")
    for index, (place, v) in enumerate(zip(insn.srcs, origin.srcs, strict=True)):
        if v not in state.get(place, NOTHING):
            raise WrongAllocation(f"{block.label}: {form.name} reads R{place}, which does not certainly hold %{v}")
        if form.fixed and form.fixed[index] not in (-1, place):
            raise WrongAllocation(f"{block.label}: {form.name} wants %{v} in R{form.fixed[index]}, not R{place}")
        if form.early and place == insn.dst:
            raise WrongAllocation(f"{block.label}: {form.name} writes R{place} before it reads it")
        if form.tied and index and place == insn.dst and v != origin.srcs[0]:
            raise WrongAllocation(f"{block.label}: {form.name} overwrites %{v}")
        if form is m.CMPXCHG and index and place == 0:
            raise WrongAllocation(f"{block.label}: {form.name} has %{v} in R0")
    if form.tied and insn.dst != insn.srcs[0]:
        raise WrongAllocation(f"{block.label}: {form.name} has its result in another register than its operand")
    if form.result >= 0 and insn.dst not in (-1, form.result):
        raise WrongAllocation(f"{block.label}: the result of {form.name} comes in R{form.result}")
