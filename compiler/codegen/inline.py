"""Selection of `asm(...)`: an IR operation in, one machine instruction of several out.

What the allocator must know stands in the instruction's form, made for it alone. Registers that the text names are
destroyed. An input that the text changes is passed in a register of its own, chosen here, so that the value lives on
elsewhere; the others and the result may be anywhere else. The result is written before the last input is read.
"""

from __future__ import annotations

from pybpf.compiler.codegen.machine import ALLOCATABLE, Body, Form
from pybpf.compiler.isa.effects import OPERAND
from pybpf.compiler.isa.inline import read_inline
from pybpf.compiler.schema.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.isel import Selector
    from pybpf.compiler.ir.ops import Asm

__all__ = ["named_helpers", "select_asm"]


def select_asm(sel: Selector, asm: Asm) -> None:
    result = asm.kind != "void"
    operands = {str(number): OPERAND + number for number in range(0 if result else 1, len(asm.inputs) + 1)}
    inline = read_inline(asm.text, operands, result)
    taken = set(inline.named)
    fixed = []
    for number in range(len(asm.inputs)):
        register = -1
        if OPERAND + 1 + number in inline.changed:
            register = next(r for r in range(ALLOCATABLE) if r not in taken)
            taken.add(register)
        fixed.append(register)
    # Those in fixed registers come first: intervals.py takes a value that is used twice for used as the last one is.
    order = sorted(range(len(fixed)), key=lambda number: fixed[number] < 0)
    renumbered = {OPERAND + 1 + number: OPERAND + 1 + place for place, number in enumerate(order)}
    insns = tuple(
        [replace(i, dst=renumbered.get(i.dst, i.dst), src=renumbered.get(i.src, i.src)) for i in inline.insns]
    )
    clobbers = sum([1 << register for register in taken])
    form = Form("asm", "D = asm(S, ...)", early=result, fixed=tuple([fixed[n] for n in order]), clobbers=clobbers)
    dst = -1
    if result:
        dst = sel.vregs.get(asm, -1)
        dst = sel.temp() if dst < 0 else dst
    sel.emit(form, 0, dst, tuple([sel.vreg(asm.inputs[n]) for n in order]), ref=Body(insns))


def named_helpers(text: str) -> dict[int, str]:
    """The helpers that a text calls by name, as `call bpf_ktime_get_ns#5`: number -> name, for listings."""
    found = {}
    for part in text.replace("\n", ";").split(";"):
        name, mark, number = part.partition("call ")[2].partition("#")
        if mark and number.strip().isdigit():
            found[int(number)] = name.strip()
    return found
