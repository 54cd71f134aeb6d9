"""Which Python variable each register and stack slot holds at an instruction, to tell errors of the verifier with.

A forward walk over the allocated code that follows moves, spills and reloads; where paths meet that disagree, nothing
is known. Done only when a program is refused, so nothing of it is kept from compilation.
"""

from __future__ import annotations

from pybpf.compiler.codegen import machine as m
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.codegen.machine import MBlock, MInsn

__all__ = ["variables_at"]

State = dict[int, int]  # register, or ~number of a spill slot -> virtual register


def variables_at(code: MachineCode, slot: int) -> dict[str, str]:
    """Names by place ("R1", "fp-16", as the verifier says) in front of the instruction at `slot` of the function."""
    function = code.function
    states = _states(code)
    block, state = code.starts[0][1], states[code.starts[0][1]]
    beginnings = dict(code.starts)
    for at, insn in code.insns:
        if at in beginnings:
            block = beginnings[at]
            state = dict(states.get(block, {}))
        if at >= slot:
            break
        _step(insn, state)
    found = {}
    for place, v in sorted(state.items(), reverse=True):
        name = function.names.get(v)
        if name:
            found[f"R{place}" if place >= 0 else f"fp{code.frame.spills[~place]}"] = name
    shared: dict[int, list[str]] = {}
    for stack_slot, offset in code.frame.slots.items():
        if stack_slot.name and stack_slot.name not in shared.setdefault(offset, []):
            shared[offset].append(stack_slot.name)
    found.update({f"fp{offset}": "/".join(names) for offset, names in shared.items() if names})
    return found


def _states(code: MachineCode) -> dict[MBlock, State]:
    """What is known at the start of each block that is reached."""
    function = code.function
    entry = {index + 1: v for index, v in enumerate(function.params) if v >= 0}
    states: dict[MBlock, State] = {function.blocks[0]: entry}
    work = [function.blocks[0]]
    while work:
        block = work.pop()
        state = dict(states[block])
        for insn in block.insns:
            _step(insn, state)
        for target in block.succs:
            arrives = dict(state)
            arrives.update(target.arrivals)
            known = states.get(target)
            met = arrives if known is None else {p: v for p, v in known.items() if arrives.get(p) == v}
            if met != known:
                states[target] = met
                work.append(target)
    return states


def _step(insn: MInsn, state: State) -> None:
    form = insn.form
    for reg in range(m.ALLOCATABLE):
        if form.clobbers >> reg & 1:
            state.pop(reg, None)
    place, v = insn.dst, insn.vreg
    if form is m.SPILL:
        place, v = ~insn.imm, state.get(insn.srcs[0], insn.vreg)
    elif insn.origin is None and form is m.MOV_X and insn.op == op.MOV_REG:
        v = state.get(insn.srcs[0], insn.vreg)
    if v >= 0:
        state[place] = v
    else:
        state.pop(place, None)
