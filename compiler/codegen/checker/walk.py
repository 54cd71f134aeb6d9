"""The walk over the bytes and the original at once.

A *place* is (instruction of the bytes, block of the original, instruction in it): control is there in both. Jumps and
plain copies of the original take no time: a copy's result is where its source is, and a phi's where what it is passed
is, until something moves them. So from each place exactly one thing can come next:

    the bytes have the original's next instruction          both go on
    a move, a spill, a reload, a constant, a stack address  the bytes go on; what they write holds what they read
    a jump                                                  the bytes go on
    none of these, and the original has a branch            it makes no difference: the original goes both ways

and anything else is wrong. Code that blocks share has several places. What is known where ways meet is what is known on
all; it only shrinks, so the walk ends. Then each place is looked at once more, with what is really known there.
"""

from __future__ import annotations

from functools import partial
from heapq import heappop, heappush

from pybpf.compiler.codegen import machine as m
from pybpf.compiler.codegen.checker.match import Match, branch, constant, is_set, match, reference
from pybpf.compiler.codegen.checker.state import Objects, State
from pybpf.compiler.codegen.machine import FRAME_POINTER
from pybpf.compiler.ir.function import Slot
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.disasm import disassemble
from pybpf.compiler.isa.insn import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pybpf.compiler.codegen.checker.meaning import Meaning
    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.codegen.machine import MInsn

__all__ = ["Walk", "WrongCode"]

Place = tuple[int, int, int]
ARGUMENTS = 5
MOST_STACK = 512
BRANCHES = (m.BRANCH_K, m.BRANCH_X, m.MAY_GOTO)
MEMORY = {m.LOAD: 0, m.STORE_K: 0, m.STORE_X: 0, m.FETCH: 1, m.CMPXCHG: 1}  # which operand is the address
WORD = 8


class WrongCode(AssertionError):
    """The bytes do not compute what the function means; says where and why."""


class Walk:
    def __init__(self, meaning: Meaning, code: MachineCode) -> None:
        self.meaning = meaning
        self.frame = code.frame
        self.objects = Objects(code.frame)
        self.words = set(code.frame.spills.values())  # where only the allocator stores and loads
        self.insns = decode(code.code)
        self.slots = []  # of each instruction: the eight-byte slot that it starts at
        at = 0
        for insn in self.insns:
            self.slots.append(at)
            at += insn.slots
        self.index = {slot: number for number, slot in enumerate(self.slots)}
        self.relocations: dict[int, object] = {}
        for reloc in code.relocs:
            self.relocations[self.index[reloc.offset // WORD]] = (reloc.kind, reloc.symbol)
        for core in code.core:
            self.relocations[self.index[core.offset // WORD]] = (core.type, core.access, core.kind)
        self.landings = {self._target(number) for number, insn in enumerate(self.insns) if _jumps(insn.opcode)}
        self.keys: dict[int, object] = {}  # of recipes: alike where they compute the same
        self.recipes: dict[object, int] = {}  # by key, the virtual registers that always have this value
        self.known: dict[Place, State] = {}
        self.work: list[Place] = []
        self.waiting: set[Place] = set()
        self.last_look = False
        self.seen: set[int] = set()

    def run(self) -> None:
        meaning = self.meaning
        self._check_frame()
        for v, recipe in meaning.recipes.items():
            key: object = constant(recipe.form, recipe.op, recipe.imm, reference(recipe.ref))
            if type(recipe.ref) is Slot:
                key = ("R10", self.objects.offsets[recipe.ref] + recipe.imm)
            self.keys[v] = key
            self.recipes[key] = self.recipes.get(key, 0) | 1 << v
        self.exposed = self.objects.all_of(meaning.exposed)
        state = State.at_entry(self.objects)
        for index, v in enumerate(meaning.params[:ARGUMENTS]):
            if v >= 0:
                state.registers[index + 1] = 1 << v
        self._arrive((0, 0, 0), state)
        while self.work:
            place = heappop(self.work)
            self.waiting.remove(place)
            self._run(place)
        self.last_look = True
        for place in sorted(self.known):
            self._run(place)
        for number in range(len(self.insns)):
            if number not in self.seen:
                self._wrong(number, "nothing leads here")

    def _check_frame(self) -> None:
        for slot, offset in self.objects.offsets.items():
            if offset < -MOST_STACK or offset + slot.size > 0 or offset % slot.align:
                raise WrongCode(f"{self.meaning.name}: {slot.name} can't lie at R10{offset:+}")
        for offset in self.words:
            if offset < -MOST_STACK or offset + WORD > 0 or offset % WORD:
                raise WrongCode(f"{self.meaning.name}: a spilled word can't lie at R10{offset:+}")

    # ---- places

    def _target(self, at: int) -> int:
        insn = self.insns[at]
        distance = insn.imm if insn.opcode == op.GOTOL else insn.off
        found = self.index.get(self.slots[at] + 1 + distance)
        if found is None:
            self._wrong(at, "it jumps to no instruction")
        return found

    def _arrive(self, place: Place, state: State) -> None:
        """Control comes to a place that other ways may lead to as well."""
        if self.last_look:
            return
        at, block, index = place
        block, index = self._settle(block, index, state)
        place = at, block, index
        known = self.known.get(place)
        if known is None:
            self.known[place] = state
        elif not known.meet(state):
            return
        if place not in self.waiting:
            self.waiting.add(place)
            heappush(self.work, place)

    def _settle(self, block: int, index: int, state: State) -> tuple[int, int]:
        """Let the original go on over jumps and copies. One that jumps in circles stays on a jump."""
        seen = set()
        while True:
            insn = self.meaning.blocks[block][index]
            if _is_copy(insn):
                state.pass_values([(insn.dst, insn.srcs[0])], self.keys)
                index += 1
            elif insn.form is m.JUMP and block not in seen:
                seen.add(block)
                [(target, pairs)] = self.meaning.edges[block]
                state.pass_values(pairs, self.keys)
                block, index = target, 0
            else:
                return block, index

    def _run(self, place: Place) -> None:
        """On from a place, up to a jump or where other ways may come in."""
        at, block, index = place
        state = self.known[place].copy()
        while True:
            insn = self.meaning.blocks[block][index]
            self.seen.add(at)
            one = self.insns[at]
            if one.opcode in (op.GOTO, op.GOTOL):
                self._arrive((self._target(at), block, index), state)
                return
            if insn.form in BRANCHES:
                if self._branch(at, block, insn, state):
                    return
                if is_set(self.insns, at) and branch(insn, self.insns[at + 1]) is None:
                    self._both(at, block, state)  # the constant belongs to what follows
                    return
                found = None
            else:
                found = match(insn, self.insns, at, self.relocations, self.objects.offsets)
            if found is not None:
                self._check(at, insn, found, state)
                self._execute(at, insn, found, state)
                if insn.form is m.EXIT:
                    return
                block, index = self._settle(block, index + 1, state)
                after = at + found.count
            else:
                after = self._own(at, state)
                if after < 0:
                    if insn.form not in BRANCHES:
                        self._wrong(at, f"that is not {_text(insn)}, and no move")
                    self._both(at, block, state)
                    return
            self.seen.update(range(at, after))
            if after >= len(self.insns):
                self._wrong(at, "the code ends here")
            at = after
            if at in self.landings:
                self._arrive((at, block, index), state)
                return

    def _branch(self, at: int, block: int, insn: MInsn, state: State) -> bool:
        found = branch(insn, self.insns[at])
        if found is None:
            return False
        which, places = found
        if not any([all(map(partial(_holds, state), place, insn.srcs)) for place in places]):
            return False  # it may be another one, behind this one that makes no difference
        edges = self.meaning.edges[block]
        if self._is_tested_again(insn, edges, state):
            return False
        for to, (target, pairs) in ((self._target(at), edges[which]), (at + 1, edges[1 - which])):
            behind = state.copy()
            behind.pass_values(pairs, self.keys)
            self._arrive((to, target, 0), behind)
        return True

    def _is_tested_again(self, insn: MInsn, edges: list[tuple[int, list[tuple[int, int]]]], state: State) -> bool:
        """Both ways of a branch lead to one place, where the same is tested: the bytes have the second of the two."""
        places = set()
        for target, pairs in edges:
            behind = state.copy()
            behind.pass_values(pairs, self.keys)
            places.add(self._settle(target, 0, behind))
        if len(places) > 1:
            return False
        [(block, index)] = places
        again = self.meaning.blocks[block][index]
        return (again.form, again.op, again.imm, again.srcs) == (insn.form, insn.op, insn.imm, insn.srcs)

    def _both(self, at: int, block: int, state: State) -> None:
        """The bytes have no branch here: what follows must do for both ways of the original."""
        for target, pairs in self.meaning.edges[block]:
            behind = state.copy()
            behind.pass_values(pairs, self.keys)
            self._arrive((at, target, 0), behind)

    # ---- instructions

    def _own(self, at: int, state: State) -> int:
        """What the allocator put in: the number of the instruction behind it; -1 if it is nothing of that kind."""
        insn = self.insns[at]
        kind, after = insn.opcode, at + 1
        if kind == op.STX | op.MEM | op.DW and insn.dst == FRAME_POINTER and insn.off in self.words:
            held = state.registers[insn.src]
            self._write(at, insn.off, WORD, 0, state)
            state.words[insn.off] = held
            return after
        if insn.dst == FRAME_POINTER:
            return -1
        if kind == op.MOV_REG and not insn.off and insn.src == FRAME_POINTER:
            [add] = self.insns[after : after + 1] or [insn]
            if (add.opcode, add.dst) != (op.ALU64 | op.ADD, insn.dst) or after in self.landings:
                return -1
            held, after = self._value(("R10", add.imm), state), after + 1
        elif kind == op.MOV_REG and not insn.off:
            held = state.registers[insn.src]
        elif kind in (op.MOV_IMM, op.MOV32_IMM, op.LD_IMM64):
            form = m.LOAD_64 if kind == op.LD_IMM64 else m.MOV_K
            held = self._value(constant(form, kind, insn.imm, self.relocations.get(at)), state)
        elif kind == op.LDX | op.MEM | op.DW and insn.src == FRAME_POINTER and insn.off in self.words:
            held = state.words.get(insn.off, 0)
        else:
            return -1
        state.registers[insn.dst] = held
        return after

    def _value(self, key: object, state: State) -> int:
        return self.recipes.get(key, 0) | state.equal.get(key, 0)

    def _check(self, at: int, insn: MInsn, found: Match, state: State) -> None:
        """The instruction finds its operands where it reads them."""
        if found.result == FRAME_POINTER or found.result < 0 <= insn.dst:
            self._wrong(at, f"it gives no result as {_text(insn)} does")
        if not self.last_look:
            return
        values = insn.srcs
        if found.either and not all(map(partial(_holds, state), found.sources, values)):
            values = values[::-1]
        for number, (register, v) in enumerate(zip(found.sources, values, strict=True)):
            if register < 0:
                continue
            if not _holds(state, register, v):
                self._wrong(at, f"R{register} does not certainly hold %{v}, which {_text(insn)} reads")
            fixed = insn.form.fixed[number] if insn.form.fixed else -1
            if fixed >= 0 and register != fixed:
                self._wrong(at, f"%{v} must be in R{fixed}")
            if fixed < 0 and insn.form.clobbers >> register & 1:
                self._wrong(at, f"R{register} is destroyed before %{v} is read")
            if insn.form.early and register == found.result:
                self._wrong(at, f"R{register} is written before %{v} is read")

    def _execute(self, at: int, insn: MInsn, found: Match, state: State) -> None:
        """What is known behind the instruction."""
        self._access(at, insn, state)
        for register in range(FRAME_POINTER):
            if insn.form.clobbers >> register & 1:
                state.registers[register] = 0
        if insn.dst >= 0:
            state.define(found.result, insn.dst)
        elif found.result >= 0:
            state.registers[found.result] = 0

    # ---- the program's stack slots

    def _access(self, at: int, insn: MInsn, state: State) -> None:
        """What the instruction reads of stack slots must be right; what it writes makes others wrong."""
        address = MEMORY.get(insn.form)
        if address is not None:
            reads = insn.form is m.LOAD or insn.op & 0xE0 == op.ATOMIC
            if type(insn.ref) is Slot:
                size = op.SIZE_BYTES[insn.op & 0x18]
                if insn.off < 0 or insn.off + size > insn.ref.size or insn.srcs[address] != FRAME_POINTER:
                    self._wrong(at, f"{_text(insn)} reaches over {insn.ref.name}")
                own = self.objects.part(insn.ref, insn.off, size)
                if reads:
                    self._read(at, insn, own, state)
                if insn.form is not m.LOAD:
                    self._write(at, self.objects.offsets[insn.ref] + insn.off, size, own, state)
                return
            self._anywhere(at, insn, insn.srcs[address], state, reads, insn.form is not m.LOAD)
        elif insn.form is m.CALL:
            for v in insn.srcs:
                self._anywhere(at, insn, v, state, True, True)

    def _anywhere(self, at: int, insn: MInsn, v: int, state: State, reads: bool, writes: bool) -> None:
        """Something of the slots that `v` may point into may be read or written."""
        slots = self.meaning.slots_of(v)
        if reads and slots:
            self._read(at, insn, self.objects.all_of(slots), state)
        if writes:
            for slot in slots:
                own = self.objects.whole[slot]
                self._write(at, self.objects.offsets[slot], slot.size, own, state, certain=False)

    def _read(self, at: int, insn: MInsn, own: int, state: State) -> None:
        if self.last_look and own & ~state.right:
            self._wrong(at, f"{_text(insn)} reads bytes of a stack slot that something else may have been written over")

    def _write(self, at: int, start: int, size: int, own: int, state: State, certain: bool = True) -> None:
        if not -self.frame.size <= start <= -size:
            self._wrong(at, f"R10{start:+} is not in the frame of {self.frame.size} bytes")
        if not state.write(self.objects, start, size, own, self.exposed, certain):
            self._wrong(at, "it writes over a stack slot whose address may be anywhere")

    def _wrong(self, at: int, why: str) -> NoReturn:
        raise WrongCode(f"{self.meaning.name}, {self.slots[at]}: {disassemble(self.insns[at])}: {why}")


def _is_copy(insn: MInsn) -> bool:
    return insn.form is m.MOV_X and insn.op == op.MOV_REG and not insn.off


def _jumps(opcode: int) -> bool:
    kind, code = opcode & 7, opcode & 0xF0
    return opcode in (op.GOTO, op.GOTOL, op.MAY_GOTO) or (kind in (op.JMP, op.JMP32) and code in op.JUMP_OPERATOR)


def _holds(state: State, register: int, v: int) -> bool:
    return bool(state.registers[register] >> v & 1)


def _text(insn: MInsn) -> str:
    result = f"%{insn.dst} = " if insn.dst >= 0 else ""
    return f"{result}{insn.form.name}({', '.join([f'%{v}' for v in insn.srcs])})"
