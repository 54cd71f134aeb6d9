"""The checker itself: it takes what is right, and of what is wrong only what running shows to be harmless."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pybpf.compiler.codegen import colouring, compile_function
from pybpf.compiler.codegen.checker import Checker, WrongCode
from pybpf.compiler.codegen.isel import select
from pybpf.compiler.ir.interp import Trap
from pybpf.compiler.ir.parser import parse_function
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.execute import TooLong
from pybpf.compiler.isa.insn import Insn, decode, encode
from pybpf.compiler.passes import optimise
from pybpf.compiler.schema.record import replace
from tests.codegen.emulate import emulated
from tests.codegen.mutations import SABOTAGES, mutants, sabotaged
from tests.codegen.pressure import crowded_module
from tests.ir.random_ir import observe, random_module

if TYPE_CHECKING:
    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.ir.function import Module

PACKETS = (bytes(range(3, 83)), bytes(12), bytes([255, 1, 0, 128] * 10))

# Two values swapped in a loop, one kept over a call, more of them than R6 to R9 hold; two objects, one after the other.
SWAP = """
func prog(%0.ctx: ptr) section "xdp" {
  slot $0.first size 12 align 4
  slot $1.second size 8 align 8
@entry:
  %1 = load.u32 [%0.ctx+0]
  %2 = load.u32 [%0.ctx+4]
  %3 = load.u32 [%0.ctx+8]
  %4 = load.u32 [%0.ctx+12]
  %5 = load.u32 [%0.ctx+16]
  %20: ptr = slot $0.first
  store.32 [%20+4], %1
  %21 = load.u32 [%20+4]
  %22: ptr = slot $1.second
  store.64 [%22+0], %2
  jump @head
@head:
  %6 = phi @entry: 0, @body: %11
  %7 = phi @entry: %1, @body: %8
  %8 = phi @entry: %2, @body: %7
  br ult %6, 3, @body, @done
@body:
  %10 = call bpf_ktime_get_ns#5()
  %11 = add %6, 1
  jump @head
@done:
  %23 = load.u64 [%22+0]
  %12 = sub %7, %8
  %13 = add %12, %3
  %14 = add %13, %4
  %15 = add %14, %5
  %16 = call bpf_probe_read#4(%15, %3, %4)
  %17 = add %16, %5
  %18 = add %17, %21
  %19 = add %18, %23
  ret %19
}
"""


def compiled(text: str) -> tuple[Checker, MachineCode]:
    function = parse_function(text)
    return Checker(select(function, 3)), compile_function(function, 3, Checker)


def changed(code: MachineCode, change: dict[int, Insn]) -> MachineCode:
    return replace(code, code=encode([change.get(at, insn) for at, insn in enumerate(decode(code.code))]))


def places(code: MachineCode, opcode: int, *, own: bool) -> list[int]:
    """Numbers of the instructions with an opcode: of the allocator's own, or of the others."""
    words = set(code.frame.spills.values())
    return [
        at
        for at, insn in enumerate(decode(code.code))
        if insn.opcode == opcode and (insn.off in words and 10 in (insn.dst, insn.src)) == own
    ]


def test_what_is_wrong_is_said() -> None:
    checker, code = compiled(SWAP)
    insns = decode(code.code)
    add = next(at for at, insn in enumerate(insns) if insn.opcode == op.ALU64 | op.ADD | op.X)
    with pytest.raises(WrongCode, match=r"R\d does not certainly hold %\d+, which %\d+ = alu_x\(%\d+, %\d+\) reads"):
        checker(changed(code, {add: replace(insns[add], src=10)}))
    load = next(at for at, insn in enumerate(insns) if insn.opcode == op.LDX | op.MEM | op.W)
    with pytest.raises(WrongCode, match=r"that is not %\d+ = load"):
        checker(changed(code, {load: replace(insns[load], off=insns[load].off + 4)}))
    branch = next(at for at, insn in enumerate(insns) if insn.opcode & 7 == op.JMP and insn.opcode & 0xF0 == op.JGE)
    with pytest.raises(WrongCode):
        checker(changed(code, {branch: replace(insns[branch], opcode=op.JMP | op.JLT)}))


@pytest.mark.parametrize("opcode", [op.STX | op.MEM | op.DW, op.LDX | op.MEM | op.DW], ids=["spill", "reload"])
def test_a_spill_or_reload_that_is_left_out_or_elsewhere(opcode: int) -> None:
    checker, code = compiled(SWAP)
    insns = decode(code.code)
    found = places(code, opcode, own=True)
    assert found
    for at in found:
        for wrong in (Insn(op.GOTO), replace(insns[at], off=insns[at].off - 8), replace(insns[at], off=-8)):
            with pytest.raises(WrongCode):
                checker(changed(code, {at: wrong}))


# Two objects in one place, although colouring would put some apart; what a program does with them, and what is wrong.
HEAD = """
func prog(%0.ctx: ptr) section "xdp" {
  slot $0.a size 16 align 8
  slot $1.b size 8 align 8
@entry:
  %1 = load.u64 [%0.ctx+0]
  %2: ptr = slot $0.a
  %3: ptr = slot $1.b
"""
READ = "reads bytes of a stack slot that something else may have been written over"
TOGETHER = {
    "one after the other": """
  store.64 [%2+8], %1
  %4 = load.u64 [%2+8]
  store.64 [%3+0], %4
  %5 = load.u64 [%3+0]
  ret %5
}""",
    "on bytes that the other does not use": """
  store.64 [%2+8], %1
  store.64 [%3+0], %1
  %4 = load.u64 [%2+8]
  %5 = load.u64 [%3+0]
  %6 = add %4, %5
  ret %6
}""",
    "on two ways": """
  br eq %1, 0, @left, @right
@left:
  %4 = call bpf_get_current_comm#16(%2, 16)
  %5 = load.u64 [%2+0]
  jump @end
@right:
  store.64 [%3+0], %1
  %6 = load.u64 [%3+0]
  jump @end
@end:
  %7 = phi @left: %5, @right: %6
  ret %7
}""",
    "each turn of a loop anew": """
  jump @head
@head:
  %4 = phi @entry: 0, @body: %9
  br ult %4, 3, @body, @end
@body:
  store.64 [%2+0], %4
  %6 = load.u64 [%2+0]
  store.64 [%3+0], %6
  %8 = load.u64 [%3+0]
  %9 = add %8, 1
  jump @head
@end:
  ret %4
}""",
}
APART = {
    "one inside the other": (READ, """
  store.64 [%2+0], %1
  store.64 [%3+0], 7
  %4 = load.u64 [%3+0]
  %5 = load.u64 [%2+0]
  ret %5
}"""),
    "one byte of it": (READ, """
  store.64 [%2+0], %1
  store.8 [%3+7], 7
  %5 = load.u32 [%2+4]
  ret %5
}"""),
    "read by a helper": (READ, """
  store.64 [%2+0], %1
  store.64 [%2+8], %1
  store.64 [%3+0], 7
  %4: ptr = map counts
  %5: ptr = call bpf_map_lookup_elem#1(%4, %2)
  ret 0
}"""),
    "written by a helper": (READ, """
  store.64 [%3+0], 7
  %4 = call bpf_get_current_comm#16(%2, 16)
  %5 = load.u64 [%3+0]
  ret %5
}"""),
    "read in a loop's next turn": (READ, """
  store.64 [%2+0], %1
  jump @head
@head:
  %4 = phi @entry: 0, @body: %9
  br ult %4, 3, @body, @end
@body:
  %6 = load.u64 [%2+0]
  store.64 [%3+0], %6
  %8 = load.u64 [%3+0]
  %9 = add %8, 1
  jump @head
@end:
  ret %4
}"""),
    "wanted on one way": (READ, """
  store.64 [%2+0], %1
  br eq %1, 0, @left, @end
@left:
  store.64 [%3+0], 7
  jump @end
@end:
  %5 = load.u64 [%2+0]
  ret %5
}"""),
    "added to atomically": (READ, """
  store.64 [%2+0], %1
  store.64 [%3+0], 7
  atomic add [%2+0], 1
  ret 0
}"""),
    "by a computed address": (READ, """
  store.64 [%2+0], %1
  store.64 [%3+0], 7
  %4 = and %1, 7
  %5: ptr = ptradd %2, %4
  %6 = load.u8 [%5+0]
  ret %6
}"""),
    "by the address that a phi has": (READ, """
  store.64 [%2+0], %1
  br eq %1, 0, @left, @right
@left:
  jump @end
@right:
  jump @end
@end:
  %4: ptr = phi @left: %2, @right: %0.ctx
  store.64 [%3+0], 7
  %6 = load.u64 [%4+0]
  ret %6
}"""),
    "in a map": ("writes over a stack slot whose address may be anywhere", """
  %4: ptr = global state
  store.64 [%2+0], %1
  store.64 [%4+0], %2
  store.64 [%3+0], 7
  ret 0
}"""),
    "given to a subprogram": ("writes over a stack slot whose address may be anywhere", """
  store.64 [%2+0], %1
  %4 = call sub(%2)
  store.64 [%3+0], 7
  ret 0
}"""),
    "a dynptr": ("writes over a stack slot whose address may be anywhere", """
  %4: ptr = global state
  %5 = call bpf_dynptr_from_mem#197(%4, 8, 0, %2)
  store.64 [%3+0], 7
  ret 0
}"""),
}  # fmt: skip


def in_one_place(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(colouring, "colour_slots", lambda fn: [list(fn.slots)])
    code = compile_function(parse_function(HEAD + text), 3, Checker)
    assert len(set(code.frame.slots.values())) == 1 < len(code.frame.slots)


@pytest.mark.parametrize("name", TOGETHER)
def test_objects_may_lie_in_one_place(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    in_one_place(monkeypatch, TOGETHER[name])


@pytest.mark.parametrize("name", APART)
def test_objects_must_not_lie_in_one_place(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    message, text = APART[name]
    compile_function(parse_function(HEAD + text), 3, Checker)  # colouring knows
    with pytest.raises(WrongCode, match=message):
        in_one_place(monkeypatch, text)


def outcome(module: Module, codes: list[MachineCode]) -> object:
    """What the code does with the packets; an exception of the memory or of an endless loop is an outcome too."""
    try:
        return [observe(module, packet, machine=emulated(codes)) for packet in PACKETS]
    except (Trap, TooLong, KeyError, IndexError) as error:
        return error


@pytest.mark.parametrize("seed", range(4))
def test_no_wrong_instruction_that_matters_is_taken(seed: int) -> None:
    rng = random.Random(seed)
    module, level = crowded_module(rng, 8, 12) if seed % 2 else random_module(rng, 12), (3, 4, 1, 3)[seed]
    checkers = [Checker(select(function, level)) for function in module.functions]
    codes = [compile_function(function, level) for function in module.functions]
    wanted = [observe(module, packet) for packet in PACKETS]
    assert outcome(module, codes) == wanted
    tried: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for number, checker in enumerate(checkers):
        for at, kind, wrong in mutants(codes[number], random.Random(seed)):
            tried[kind] += 1
            try:
                checker(wrong)
            except WrongCode:
                refused[kind] += 1
            else:
                assert outcome(module, [*codes[:number], wrong, *codes[number + 1 :]]) == wanted, f"{at}: {kind}"
    assert refused.total() > 0.85 * tried.total() > 200
    assert all(refused[kind] > 0.5 * count for kind, count in tried.items()), (refused, tried)


@pytest.mark.parametrize("name", SABOTAGES)
def test_no_mistake_of_the_code_generator_that_matters_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found = 0
    for seed in range(60):
        rng = random.Random(seed)
        module = crowded_module(rng, 25, 14) if seed % 2 else random_module(rng, 40)
        wanted = [observe(module, packet) for packet in PACKETS]
        if seed % 3:
            optimise(module, (), lambda name, function: None)
        with monkeypatch.context() as patch:
            sabotaged(patch, name, random.Random(seed))
            try:
                codes = [compile_function(function, 1 + seed % 4, Checker) for function in module.functions]
            except WrongCode:
                found += 1
                if found == 8:
                    break
                continue
            except Exception:  # the code generator itself has noticed
                continue
        assert outcome(module, codes) == wanted, seed
    assert found >= 2
