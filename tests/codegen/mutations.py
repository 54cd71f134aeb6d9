"""Machine code with a mistake, and code generators with one: what the checker must find, or running show harmless.

`mutants(code)` gives copies of the code in which one instruction, relocation or jump is another.
`SABOTAGES` are parts of the code generator, by name, with a version that makes mistakes; `sabotaged` puts one in.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pybpf.compiler.codegen.regalloc import NEVER
from pybpf.compiler.elf.model import Reloc
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.insn import Insn, decode, encode
from pybpf.compiler.schema.record import replace

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    import pytest

    from pybpf.compiler.codegen.emit import MachineCode

NOTHING = Insn(op.GOTO)  # goes on at the next instruction
JUMPS = (op.JMP, op.JMP32)
MEMORY = (op.LDX, op.ST, op.STX)


def mutants(code: MachineCode, rng: random.Random) -> Iterator[tuple[int, str, MachineCode]]:
    """Every instruction in turn, wrong in every way that its kind has (registers are drawn): number, what, the code."""
    insns = decode(code.code)
    for at, insn in enumerate(insns):
        for name, changed in _wrong(insn, rng):
            yield at, name, _with(code, [*insns[:at], changed, *insns[at + 1 :]])
        if at + 1 < len(insns) and insn != insns[at + 1] and insn.slots == insns[at + 1].slots == 1:
            yield at, "exchanged", _with(code, [*insns[:at], insns[at + 1], insn, *insns[at + 2 :]])
    for at, reloc in enumerate(code.relocs):
        relocs = [*code.relocs[:at], Reloc(reloc.offset, f"{reloc.symbol}'", reloc.kind), *code.relocs[at + 1 :]]
        yield at, "relocation", replace(code, relocs=tuple(relocs))


def _with(code: MachineCode, insns: list[Insn]) -> MachineCode:
    return replace(code, code=encode(insns))


def _wrong(insn: Insn, rng: random.Random) -> Iterator[tuple[str, Insn]]:
    kind, opcode = insn.opcode & 7, insn.opcode
    if insn.slots == 1 and opcode != op.EXIT_INSN:
        yield "left out", NOTHING
    if opcode not in (op.EXIT_INSN, op.CALL_IMM, op.GOTO, op.GOTOL, op.MAY_GOTO):
        other = rng.choice([reg for reg in range(11) if reg != insn.dst])
        yield "dst", replace(insn, dst=other)
        if (kind in MEMORY and kind != op.ST) or (opcode & op.X and kind not in MEMORY and opcode & 0xF0 != op.END):
            other = rng.choice([reg for reg in range(11) if reg != insn.src])
            yield "src", replace(insn, src=other)
    if kind in MEMORY:
        for shift in (-8, -1, 1, 8):
            yield "off", replace(insn, off=insn.off + shift)
    if kind in JUMPS and opcode not in (op.EXIT_INSN, op.CALL_IMM):
        yield "further", replace(insn, off=insn.off + 1)
        code = op.NEGATED.get(opcode & 0xF0)
        if code is not None:
            yield "inverted", replace(insn, opcode=opcode & 0x0F | code)
    if opcode == op.CALL_IMM or (kind in (op.ALU, op.ALU64) and not opcode & op.X) or opcode == op.LD_IMM64:
        yield "imm", replace(insn, imm=insn.imm ^ 1)
    if kind in (op.ALU, op.ALU64) and opcode & 0xF0 not in (op.MOV, op.END, op.NEG):
        yield "width", replace(insn, opcode=opcode ^ (op.ALU ^ op.ALU64))


# ---- sabotage


def _two_spills_in_one_slot(rng: random.Random, real: Any) -> Any:
    def share(*arguments: Any) -> dict[int, int]:
        found: dict[int, int] = real(*arguments)
        numbers = sorted(set(found.values()))
        if len(numbers) > 1:
            kept, lost = rng.sample(numbers, 2)
            found = {v: kept if number == lost else number for v, number in found.items()}
        return found

    return share


def _two_groups_in_one_place(rng: random.Random, real: Any) -> Any:
    def colour(fn: Any) -> Any:
        groups = real(fn)
        rng.shuffle(groups)
        return [groups[0] + groups[1], *groups[2:]] if len(groups) > 1 else groups

    return colour


def _a_slot_too_low(rng: random.Random, real: Any) -> Any:
    def lay_out(fn: Any, groups: Any = None) -> Any:
        made = real(fn, groups)
        if made.slots:
            slot = rng.choice(sorted(made.slots, key=lambda slot: slot.name))
            made.slots[slot] += rng.choice([-16, -8, 8])
        return made

    return lay_out


def _a_spill_too_high(rng: random.Random, real: Any) -> Any:
    def lay_out(fn: Any, groups: Any = None) -> Any:
        made = real(fn, groups)
        if made.spills:
            made.spills[rng.choice(sorted(made.spills))] += 8
        return made

    return lay_out


def _a_shorter_life(rng: random.Random, real: Any) -> Any:
    def build(*arguments: Any) -> Any:
        made = real(*arguments)
        long = [i for i in made.all if i.ranges[-1][1] - i.ranges[-1][0] > 8]
        if long:
            interval = rng.choice(long)
            start, end = interval.ranges[-1]
            interval.ranges[-1] = start, end - 4
        return made

    return build


def _a_value_not_live(rng: random.Random, real: Any) -> Any:
    def masks(fn: Any) -> Any:
        live_in, live_out = real(fn)
        full = [n for n, mask in enumerate(live_out) if mask]
        if full:
            n = rng.choice(full)
            live_out[n] &= live_out[n] - 1
        return live_in, live_out

    return masks


def _a_move_lost(rng: random.Random, real: Any) -> Any:
    def sequence(moves: Any, scratch: Any) -> Any:
        made = real(moves, scratch)
        return made[:-1] if made and rng.random() < 0.2 else made

    return sequence


def _moves_backwards(rng: random.Random, real: Any) -> Any:
    return lambda moves, scratch: real(moves, scratch)[::-1]


def _nothing_live(rng: random.Random, real: Any) -> Any:
    return lambda fn: dict.fromkeys(fn.blocks, 0)


def _constants_alike(rng: random.Random, real: Any) -> Any:
    def key(insn: Any) -> Any:
        return real(replace(insn, imm=0) if insn.form.name == "mov_k" else insn)

    return key


def _never_inverted(rng: random.Random, real: Any) -> Any:
    return lambda branch, level: branch if real(branch, level) is not None else None


def _calls_destroy_nothing(rng: random.Random, real: Any) -> Any:
    return 0


def _any_free(rng: random.Random, real: Any) -> Any:
    def first(one: Any, other: Any) -> int:
        return NEVER if rng.random() < 0.3 else int(real(one, other))

    return first


def _operands_exchanged(rng: random.Random, real: Any) -> Any:
    """Of what does not commute as well."""
    return real | {op.ALU | op.SUB | op.X, op.ALU64 | op.SUB | op.X, op.ALU64 | op.LSH | op.X, op.ALU | op.RSH | op.X}


SABOTAGES: dict[str, tuple[str, str, Callable[[random.Random, Any], Any]]] = {
    "two spills in one slot": (".rewrite", "share_slots", _two_spills_in_one_slot),
    "two groups of slots in one place": (".colouring", "colour_slots", _two_groups_in_one_place),
    "a slot too low": ("", "lay_out_frame", _a_slot_too_low),
    "a spill slot too high": ("", "lay_out_frame", _a_spill_too_high),
    "a shorter life": ("", "build", _a_shorter_life),
    "a value that is not live": ("", "live_masks", _a_value_not_live),
    "a move lost": (".rewrite", "sequence", _a_move_lost),
    "moves backwards": (".rewrite", "sequence", _moves_backwards),
    "latches: nothing live": (".latches", "_live_in", _nothing_live),
    "endings: constants alike": (".endings", "_key", _constants_alike),
    "branches never inverted": (".layout", "inverted", _never_inverted),
    "peephole: calls destroy nothing": (".peephole", "ALLOCATABLE", _calls_destroy_nothing),
    "registers taken twice": (".regalloc", "first_common", _any_free),
    "operands exchanged": (".intervals", "COMMUTATIVE", _operands_exchanged),
}


def sabotaged(patch: pytest.MonkeyPatch, name: str, rng: random.Random) -> None:
    """From now on the code generator makes this mistake, where it can."""
    place, attribute, wrong = SABOTAGES[name]
    module = import_module(f"pybpf.compiler.codegen{place}")
    patch.setattr(module, attribute, wrong(rng, getattr(module, attribute)))
