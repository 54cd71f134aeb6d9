"""Single parts of code generation: parallel copies, the frame, far jumps, line records, names of registers."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.codegen import compile_function
from pybpf.compiler.codegen.checker import Checker
from pybpf.compiler.codegen.frame import StackOverflow
from pybpf.compiler.codegen.moves import RECIPE, sequence
from pybpf.compiler.codegen.names import variables_at
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Block, Function, Slot
from pybpf.compiler.ir.parser import parse_function
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.insn import decode, encode
from pybpf.compiler.schema.span import Source, Span
from tests.codegen import kernel

FREE_SLOTS = (~100, ~101)


class Free:
    def __init__(self, free):
        self.free = free

    def register(self, taken):
        return next((reg for reg in self.free if reg not in taken), -1)

    def slot(self, which):
        return FREE_SLOTS[which]


places = st.one_of(st.integers(0, 9), st.integers(-6, -1))
sources = st.one_of(places, st.integers(RECIPE, RECIPE + 2))


@settings(max_examples=400)
@given(st.dictionaries(places, sources, max_size=12), st.booleans())
def test_moves_in_sequence_do_what_they_do_at_once(moves, crowded):
    held = {place: f"value of {place}" for place in [*range(10), *range(-6, 0)]}
    start = dict(held)
    used = {p for pair in moves.items() for p in pair}
    free = [] if crowded else [reg for reg in range(10) if reg not in used]
    for dst, src in sequence(list(moves.items()), Free(free)):
        assert dst >= 0 or 0 <= src < RECIPE, "no instruction moves from slot to slot"
        held[dst] = held[src] if src < RECIPE else f"recipe {src}"
    for dst, src in moves.items():
        assert held[dst] == (start[src] if src < RECIPE else f"recipe {src}")
    for place, value in start.items():
        if place not in moves and place not in free:
            assert held[place] == value


def test_a_frame_that_is_too_large_says_what_takes_the_room():
    slots = [Slot("event", 400), Slot("path", 120, 1)]
    block = Block("entry")
    for slot in slots * 2:  # both are wanted at once
        block.ops.append(ops.SlotAddr(slot))
        block.ops.append(ops.Store(block.ops[-1], 0, 8, ops.Const(1)))
    block.ops.append(ops.Return(ops.Const(0)))
    function = Function("big", "xdp", [], [block], slots)
    with pytest.raises(StackOverflow, match="big needs 520 bytes") as error:
        compile_function(function)
    assert error.value.parts == [("event", 400), ("path", 120)]
    slots[1].size = 112
    assert compile_function(function).frame.size == 512


def _many_stores(count: int) -> Function:
    """if ctx word != 0: `count` stores, twice; a loop around all that; results tell the ways apart."""
    ctx = ops.Param(0, "ptr", "ctx")
    slot = Slot("s", 8)
    blocks = {name: Block(name) for name in ("entry", "head", "first", "join", "second", "next", "out")}
    addr = ops.SlotAddr(slot)
    word = ops.Load(ctx, 0, 32)
    i = ops.Phi([], name="i")
    blocks["entry"].ops = [addr, ops.Store(addr, 0, 64, ops.Const(0)), word, ops.Jump(blocks["head"])]
    blocks["head"].ops = [i, ops.Branch("eq", word, ops.Const(0), blocks["join"], blocks["first"])]
    blocks["first"].ops = [ops.Store(addr, 0, 8, ops.Const(1)) for _ in range(count)]
    blocks["first"].ops.append(ops.Jump(blocks["join"]))
    blocks["join"].ops = [ops.Branch("set", word, ops.Const(2), blocks["second"], blocks["next"])]
    blocks["second"].ops = [ops.Store(addr, 1, 8, ops.Const(1)) for _ in range(count)]
    blocks["second"].ops.append(ops.Jump(blocks["next"]))
    more = ops.Binary("add", i, ops.Const(1))
    blocks["next"].ops = [more, ops.Branch("ult", more, ops.Const(2), blocks["head"], blocks["out"])]
    i.incoming = [(blocks["entry"], ops.Const(0)), (blocks["next"], more)]
    result = ops.Load(addr, 0, 16)
    blocks["out"].ops = [result, ops.Return(result)]
    return Function("far", "syscall", [ctx], list(blocks.values()), [slot])


@pytest.mark.parametrize("level", [1, 3, 4])
def test_far_jumps(level):
    code = compile_function(_many_stores(34_000), level, Checker)
    insns = decode(code.code)
    assert len(insns) > 68_000
    at = 0
    starts = set()
    for insn in insns:
        starts.add(at)
        at += insn.slots
    at = 0
    for insn in insns:
        at += insn.slots
        kind = insn.opcode & 7
        if insn.opcode == op.GOTOL:
            assert level == 4
            assert at + insn.imm in starts
        elif kind in (op.JMP, op.JMP32) and insn.opcode not in (op.CALL_IMM, op.EXIT_INSN):
            assert at + insn.off in starts


@pytest.mark.kernel
@pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())
@pytest.mark.parametrize("level", [1, 4])
def test_far_jumps_in_the_kernel(level):
    code = compile_function(_many_stores(34_000), level)
    fd, _ = kernel.load(code.code)
    assert fd > 0
    try:
        for word, result in ((0, 0), (1, 1), (3, 0x101)):
            assert kernel.run(fd, word.to_bytes(8, "little")).retval == result
    finally:
        os.close(fd)


SOURCE = Source("drop.py", "", ["def f(pkt):", "    a = pkt.first", "    b = pkt.second; c = a", "    return a + b"])


def at_line(line: int, col: int = 4) -> Span:
    return Span(SOURCE, line, col, line, col + 1)


def test_line_records_follow_the_source():
    ctx = ops.Param(0, "ptr", "pkt")
    first = ops.Load(ctx, 0, 32, span=at_line(2))
    second = ops.Load(ctx, 4, 32, span=at_line(3))
    third = ops.Load(ctx, 8, 32, span=at_line(3, 20))
    total = ops.Binary("add", first, second, span=at_line(4, 11))
    total2 = ops.Binary("add", total, third, span=at_line(4, 11))
    block = Block("entry", [first, second, third, total, total2, ops.Return(total2, span=at_line(4))])
    code = compile_function(Function("f", "xdp", [ctx], [block], span=at_line(1, 0)))
    assert [(r.offset, r.line, r.column, r.text, r.file) for r in code.lines] == [
        (0, 2, 5, "a = pkt.first", "drop.py"),
        (8, 3, 5, "b = pkt.second; c = a", "drop.py"),
        (24, 4, 12, "return a + b", "drop.py"),
    ]


def test_code_without_spans_has_the_function_s_line():
    block = Block("entry", [ops.Return(ops.Const(2))])
    code = compile_function(Function("f", "xdp", [], [block], span=at_line(1, 0)))
    assert [(r.offset, r.line, r.text) for r in code.lines] == [(0, 1, "def f(pkt):")]


def test_relocations():
    function = parse_function(
        """
        func f(%0.ctx: ptr) section "xdp" {
        @entry:
          %1: ptr = global state
          %2 = load.u64 [%1+8]
          %3 = call sub(%2)
          %4: ptr = func each
          %5: ptr = map counts
          %6 = call bpf_for_each_map_elem#164(%5, %4, 0, 0)
          ret %6
        }
        """
    )
    code = compile_function(function)
    insns = {}
    at = 0
    for insn in decode(code.code):
        insns[at] = insn
        at += 8 * insn.slots
    found = {(r.kind, r.symbol): insns[r.offset] for r in code.relocs}
    assert set(found) == {("global", "state"), ("call", "sub"), ("callback", "each"), ("map", "counts")}
    call = found.pop(("call", "sub"))
    assert (call.opcode, call.src, call.imm) == (op.CALL_IMM, op.CALL_LOCAL, -1)
    for insn in found.values():
        assert (insn.opcode, insn.src, insn.imm) == (op.LD_IMM64, 0, 0)


def test_names_of_registers_and_slots():
    function = parse_function(
        """
        func f(%0.pkt: ptr) section "xdp" {
          slot $0.key size 8 align 8
        @entry:
          %1.first = load.u32 [%0.pkt+0]
          %2 = slot $0.key
          store.64 [%2+0], %1.first
          jump @head
        @head:
          %3.i = phi @entry: 0, @body: %5
          br ult %3.i, 5, @body, @done
        @body:
          %4.time = call bpf_ktime_get_ns#5()
          %5 = add %3.i, %4.time
          jump @head
        @done:
          %6.last = add %3.i, %1.first
          ret %6.last
        }
        """.replace("%2 =", "%2: ptr =")
    )
    code = compile_function(function, 3, Checker)
    slots = [at for at, _ in code.insns]
    assert variables_at(code, 0) == {"R1": "pkt", "fp-8": "key"}
    call = next(at for at, insn in code.insns if insn.form.name == "call")
    before = variables_at(code, call)
    assert set(before.values()) == {"first", "i", "key"}
    assert all(place in ("R6", "R7", "R8", "R9", "fp-8") for place in before)
    assert variables_at(code, call + 1) == before | {"R0": "time"}
    assert variables_at(code, slots[-1])["R0"] == "last"


def test_encoding_round_trip_of_wide_constants():
    block = Block("entry")
    value = ops.Param(0, "int", "a")
    for constant in (1 << 40, -(1 << 40), 0xFFFF_FFFF, 0x8000_0000, -(1 << 31)):
        value = ops.Binary("xor", value, ops.Const(constant))
        block.ops.append(value)
    block.ops.append(ops.Return(value))
    for level in (1, 3):
        code = compile_function(Function("f", ".text", [ops.Param(0, "int", "a")], [block]), level).code
        assert encode(decode(code)) == code
