"""The text of a program's `asm(...)`, read and looked through.

In: the text and its operands' names. Out: its instructions, in which operands are registers from OPERAND up (the first
is the result), and what the compiler must know of them: which operands are changed, which registers are destroyed.
"""

from __future__ import annotations

from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.asm import AsmError, assemble
from pybpf.compiler.isa.effects import OPERAND, following, reads, writes
from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybpf.compiler.isa.insn import Insn

__all__ = ["InlineAsm", "read_inline"]


class InlineAsm(Record, eq=False):
    """`insns` with their places in the text (line, column, width; 1-based). `changed` are the operands that are
    written, the result among them; `named` the registers, 0 to 9, whose value is another afterwards. `helpers` are the
    numbers of those that are called."""

    insns: tuple[Insn, ...]
    places: tuple[tuple[int, int, int], ...]
    changed: frozenset[int]
    named: frozenset[int]
    helpers: tuple[int, ...]
    used: frozenset[int]


def read_inline(text: str, operands: Mapping[str, int], result: bool) -> InlineAsm:
    """AsmError: what is wrong, and where. `operands`: name -> register from OPERAND on, or a number (`{name:i}`).

    With `result`, operand OPERAND is not given but must be set on every way to the end.
    """
    insns = tuple(assemble(text, operands))
    places = tuple(_places(text))
    if not insns:
        raise AsmError("there is no instruction")
    assert len(places) == len(insns), text
    for insn, place in zip(insns, places):
        problem = _refused(insn)
        if problem:
            raise AsmError(problem, *place)
    given = frozenset(n for n in operands.values() if n >= OPERAND and not (result and n == OPERAND))
    _check_values(insns, places, given, result)
    touched = frozenset(n for insn in insns for n in writes(insn))
    used = touched | frozenset(n for insn in insns for n in reads(insn))
    return InlineAsm(
        insns,
        places,
        frozenset(n for n in touched if n >= OPERAND),
        frozenset(n for n in used if n < OPERAND),
        tuple([insn.imm for insn in insns if insn.opcode == op.CALL_IMM]),
        frozenset(n for n in used if n >= OPERAND),
    )


def _refused(insn: Insn) -> str:
    """Why an instruction can't stand in a program's text; "" where it can."""
    if insn.opcode == op.EXIT_INSN:
        return "`exit` would leave the program from here: let the text run to its end, and return in Python"
    if insn.opcode == op.CALL_IMM and insn.src != op.CALL_HELPER:
        return "only helpers can be called from here: call functions and kfuncs in Python"
    if insn.opcode == op.LD_IMM64 and insn.src:
        return "maps and variables have no address before the program is loaded: give them as operands"
    if insn.opcode & 7 == op.LD and insn.opcode != op.LD_IMM64:
        return "loads from the packet by `skb[...]` work on hidden registers: use bpf_skb_load_bytes()"
    if 10 in (*reads(insn), *writes(insn)):
        return "r10 is the frame of the whole program: give a Struct as an operand, which is its address"
    return ""


def _check_values(
    insns: tuple[Insn, ...], places: tuple[tuple[int, int, int], ...], given: frozenset[int], result: bool
) -> None:
    """Every register that is read has a value on every way there; so has the result at the end."""
    after = following(insns)
    known: list[frozenset[int] | None] = [given] + [None] * len(insns)
    work = [0]
    while work:
        at = work.pop()
        before = known[at]
        if at == len(insns) or before is None:
            continue
        insn = insns[at]
        behind = before.difference(writes(insn)) | ({0} if insn.opcode == op.CALL_IMM else set(writes(insn)))
        for to in after[at]:
            if to < 0:
                raise AsmError("the jump leaves the text", *places[at])
            seen = known[to]
            met = frozenset(behind) if seen is None else seen & behind
            if met != seen:
                known[to] = met
                work.append(to)
    for insn, before, place in zip(insns, known, places):
        if before is None:
            raise AsmError("this instruction is never reached", *place)
        for register in reads(insn):
            if register not in before:
                name = f"r{register}" if register < OPERAND else "{out}"
                raise AsmError(f"{name} has no value here", *place)
    end = known[-1]
    if end is None:
        raise AsmError("the text never ends", *places[-1])
    if result and OPERAND not in end:
        raise AsmError("{out} is not set on every way to the end", *places[-1])


def _places(text: str) -> list[tuple[int, int, int]]:
    """Line, column and width of each instruction: a text's parts without comments and labels."""
    found = []
    for number, whole in enumerate(text.split("\n"), 1):
        line = whole.partition("//")[0]
        start = 0
        for part in line.split(";"):
            at, rest = start, part
            while True:
                bare = rest.lstrip()
                at += len(rest) - len(bare)
                label, colon, behind = bare.partition(":")
                if not colon or not (label.strip().isidentifier() or label.strip().isdigit()):
                    break
                at += len(label) + 1
                rest = behind
            if bare.strip():
                found.append((number, at + 1, len(bare.rstrip())))
            start += len(part) + 1
    return found
