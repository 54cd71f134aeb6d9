"""The allocation checker itself: right allocations pass, broken ones don't."""

from __future__ import annotations

import random

import pytest

from pybpf.compiler.codegen import allocate_registers
from pybpf.compiler.codegen import machine as m
from pybpf.compiler.codegen.checker import WrongAllocation, check_allocation
from pybpf.compiler.codegen.isel import select
from pybpf.compiler.ir.parser import parse_function
from pybpf.compiler.schema.record import replace
from tests.codegen.pressure import crowded_module

# Two values swapped in a loop, one kept over a call, more of them than R6 to R9 hold.
SWAP = """
func prog(%0.ctx: ptr) section "xdp" {
@entry:
  %1 = load.u32 [%0.ctx+0]
  %2 = load.u32 [%0.ctx+4]
  %3 = load.u32 [%0.ctx+8]
  %4 = load.u32 [%0.ctx+12]
  %5 = load.u32 [%0.ctx+16]
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
  %12 = sub %7, %8
  %13 = add %12, %3
  %14 = add %13, %4
  %15 = add %14, %5
  %16 = call bpf_probe_read#4(%15, %3, %4)
  %17 = add %16, %5
  ret %17
}
"""


@pytest.fixture
def pair():
    before = select(parse_function(SWAP), 3)
    after = allocate_registers(before)
    check_allocation(before, after)
    return before, after


def find(after, wanted):
    """(block, index) of the allocator's own instructions for which `wanted` holds."""
    return [
        (block, index)
        for block in after.blocks
        for index, insn in enumerate(block.insns)
        if insn.origin is None and wanted(insn)
    ]


def own_copy(insn):
    return insn.form is m.MOV_X


def test_a_wrong_register(pair):
    before, after = pair
    for block in after.blocks:
        for index, insn in enumerate(block.insns):
            if insn.origin is not None and insn.form is m.ALU_X:
                block.insns[index] = replace(insn, srcs=(insn.srcs[0], 10))
    with pytest.raises(WrongAllocation, match="alu_x reads R10, which does not certainly hold"):
        check_allocation(before, after)


@pytest.mark.parametrize("form", [m.SPILL, m.RELOAD, m.MOV_X, m.MOV_K], ids=lambda form: form.name)
def test_a_missing_move(pair, form):
    before, after = pair
    places = find(after, lambda insn: insn.form is form)
    assert places
    for block, index in places:
        kept = block.insns.pop(index)
        with pytest.raises(WrongAllocation, match="does not certainly hold"):
            check_allocation(before, after)
        block.insns.insert(index, kept)
    check_allocation(before, after)


def test_a_swapped_parallel_copy(pair):
    """Two moves of a cycle in the wrong order overwrite a value that is still wanted."""
    before, after = pair
    found = 0
    for block in after.blocks:
        for index in range(len(block.insns) - 1):
            first, second = block.insns[index : index + 2]
            if own_copy(first) and own_copy(second) and first.srcs[0] == second.dst:
                found += 1
                block.insns[index : index + 2] = [second, first]
                with pytest.raises(WrongAllocation):
                    check_allocation(before, after)
                block.insns[index : index + 2] = [first, second]
    assert found


def test_a_value_left_in_a_clobbered_register(pair):
    before, after = pair
    for block in after.blocks:
        for insn in block.insns:
            insn.srcs = tuple(5 if reg == 6 else reg for reg in insn.srcs)
            insn.dst = 5 if insn.dst == 6 else insn.dst
    with pytest.raises(WrongAllocation):
        check_allocation(before, after)


def test_a_wrong_constant(pair):
    before, after = pair
    [(block, index), *_] = find(after, lambda insn: insn.form is m.MOV_K)
    block.insns[index].imm += 1
    with pytest.raises(WrongAllocation, match="does not certainly hold"):
        check_allocation(before, after)


def test_a_slot_of_another_value(pair):
    before, after = pair
    [(block, index), *_] = find(after, lambda insn: insn.form is m.RELOAD)
    block.insns[index].imm += 1
    with pytest.raises(WrongAllocation):
        check_allocation(before, after)


def test_instructions_lost_doubled_or_exchanged(pair):
    before, after = pair
    entry = after.blocks[0]
    loads = [index for index, insn in enumerate(entry.insns) if insn.form is m.LOAD]
    lost = entry.insns.pop(loads[1])
    with pytest.raises(WrongAllocation, match="missing, moved or doubled"):
        check_allocation(before, after)
    entry.insns.insert(loads[1], lost)
    entry.insns.insert(loads[1], lost)
    with pytest.raises(WrongAllocation, match="missing, moved or doubled"):
        check_allocation(before, after)


def test_an_altered_instruction(pair):
    before, after = pair
    load = next(insn for insn in after.blocks[0].insns if insn.form is m.LOAD)
    load.off += 4
    with pytest.raises(WrongAllocation, match="another instruction"):
        check_allocation(before, after)


def test_operands_not_where_the_form_wants_them(pair):
    before, after = pair
    insns = [insn for block in after.blocks for insn in block.insns]
    tied = next(insn for insn in insns if insn.form is m.ALU_K and insn.origin)
    kept, tied.dst = tied.dst, 9 if tied.dst != 9 else 8
    with pytest.raises(WrongAllocation):
        check_allocation(before, after)
    tied.dst = kept
    call = next(insn for insn in insns if insn.form is m.CALL and insn.srcs)
    call.srcs = (call.srcs[1], call.srcs[0], *call.srcs[2:])
    with pytest.raises(WrongAllocation):
        check_allocation(before, after)


def test_branches_exchanged(pair):
    before, after = pair
    head = next(block for block in after.blocks if len(block.succs) == 2)
    head.succs.reverse()
    with pytest.raises(WrongAllocation, match="instead of"):
        check_allocation(before, after)


@pytest.mark.parametrize("seed", range(8))
def test_no_move_of_a_crowded_function_can_be_left_out(seed):
    """Nearly each store, reload and copy is there for a reason (the rest is what the peephole pass drops)."""
    module = crowded_module(random.Random(seed), 10, 14)
    before = select(module.functions[0], 3)
    after = allocate_registers(before)
    check_allocation(before, after)
    places = find(after, lambda insn: insn.form is not m.JUMP)
    refused = 0
    for block, index in places:
        kept = block.insns.pop(index)
        try:
            check_allocation(before, after)
        except WrongAllocation:
            refused += 1
        block.insns.insert(index, kept)
    assert len(places) > 10
    assert refused > 0.75 * len(places)
