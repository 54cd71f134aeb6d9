"""Dominators, loops, liveness and ranges against their definitions, on random functions."""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.analysis.liveness import liveness
from pybpf.compiler.analysis.loops import loop_depths, loops
from pybpf.compiler.analysis.ranges import Ranges, decide
from pybpf.compiler.ir.arith import compare
from pybpf.compiler.ir.ops import PREDICATES, Op, Phi, Value
from pybpf.compiler.ir.parser import parse_function
from tests.ir.random_ir import modules, observe

if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Block, Function, Module

NESTED = """func f(%n: int) section ".text" {
@entry: jump @outer
@outer: %i = phi @entry: 0, @next: %i1 br ult %i, %n, @inner, @exit
@inner: %j = phi @outer: 0, @inner: %j1 %j1 = add %j, 1 br ult %j1, %i, @inner, @next
@next: %i1 = add %i, 1 jump @outer
@exit: ret %i
@lost: jump @exit
}"""


def reachable(function: Function, without: Block | None) -> set[Block]:
    seen: set[Block] = set()
    stack = [function.blocks[0]]
    while stack:
        block = stack.pop()
        if block not in seen and block is not without:
            seen.add(block)
            stack += block.successors()
    return seen


@given(modules())
@settings(max_examples=25, deadline=None)
def test_a_dominator_can_not_be_avoided(module: Module) -> None:
    for function in module.functions:
        tree = dominators(function)
        every = reachable(function, None)
        assert set(tree.order) == every
        for above in tree.order:
            avoided = reachable(function, above)
            for below in tree.order:
                assert tree.dominates(above, below) == (below not in avoided)


@given(modules())
@settings(max_examples=25, deadline=None)
def test_frontiers_are_where_dominance_ends(module: Module) -> None:
    for function in module.functions:
        tree = dominators(function)
        for block, ends in tree.frontiers().items():
            assert set(ends) == {
                b
                for b in tree.order
                if any(p in tree.first and tree.dominates(block, p) for p in tree.predecessors[b])
                and (b is block or not tree.dominates(block, b))
            }


def test_loops() -> None:
    function = parse_function(NESTED)
    outer, inner = loops(function)
    assert [b.label for b in outer.body] == ["outer", "inner", "next"]
    assert [b.label for b in inner.body] == ["inner"]
    assert (inner.parent, inner.depth, [b.label for b in outer.latches]) == (outer, 2, ["next"])
    assert {b.label: d for b, d in loop_depths(function).items()} == {
        "entry": 0, "outer": 1, "inner": 2, "next": 1, "exit": 0, "lost": 0,
    }  # fmt: skip


def test_liveness_of_a_loop() -> None:
    function = parse_function(NESTED)
    live = liveness(function)
    names = {
        b.label: tuple([v.name for v in live.members(bits[b])] for bits in (live.live_in, live.live_out))
        for b in function.blocks
    }
    assert names == {
        "entry": (["n"], ["n"]),
        "outer": (["n"], ["n", "i"]),
        "inner": (["n", "i"], ["n", "i", "j1"]),
        "next": (["n", "i"], ["n", "i1"]),
        "exit": (["i"], []),
        "lost": ([], []),
    }


@given(modules(10))
@settings(max_examples=15, deadline=None)
def test_live_is_what_a_later_use_reaches(module: Module) -> None:
    for function in module.functions:
        live = liveness(function)
        for block in reachable(function, None):
            for target in block.successors():
                assert set(live.members(live.live_in[target])) <= set(live.members(live.live_out[block]))
            expected = {v for v in live.values if _used_after(v, block)}
            assert set(live.members(live.live_out[block])) == expected


def _used_after(value: Value, block: Block) -> bool:
    """Some way from the end of the block leads to a use of the value before its definition."""
    if any(type(op) is Phi and (block, value) in op.incoming for t in block.successors() for op in t.ops):
        return True
    seen: set[Block] = set()
    stack = list(block.successors())
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        if value in at.ops and any(value is op for op in at.ops):
            continue  # born here
        if any(value in op.args() for op in at.ops if type(op) is not Phi):
            return True
        for target in at.successors():
            if any(type(op) is Phi and (at, value) in op.incoming for op in target.ops):
                return True
        stack += at.successors()
    return False


@given(modules(), st.binary(min_size=20, max_size=80))
@settings(max_examples=60, deadline=None)
def test_values_lie_in_their_ranges(module: Module, packet: bytes) -> None:
    ranges = Ranges()

    def watch(op: Op, value: int) -> None:
        if op.kind == "int":
            low, high, mask = ranges.of(op)
            assert low <= value <= high and value & ~mask == 0, (op, value, ranges.of(op))

    observe(module, packet, watch=watch)


@given(st.sampled_from(PREDICATES), st.tuples(*[st.integers(0, 40)] * 4), st.sampled_from((32, 64)))
def test_decisions_hold_for_all_values(pred: str, bounds: tuple[int, ...], width: int) -> None:
    a, b, c, d = bounds
    lhs, rhs = (min(a, b), max(a, b), 63), (min(c, d), max(c, d), 63)
    outcomes = {
        compare(pred, x, y, width)
        for x in range(lhs[0], lhs[1] + 1)
        for y in range(rhs[0], rhs[1] + 1)
    }  # fmt: skip
    known = decide(pred, lhs, rhs, width)
    assert known is None or outcomes == {known}
    if len(outcomes) == 1 and pred not in ("set", "eq", "ne"):
        assert known in outcomes


_KNOWN = st.lists(st.integers(0, 31), min_size=1, max_size=4)


@given(st.sampled_from(PREDICATES), _KNOWN, _KNOWN, st.sampled_from((32, 64)))
def test_decisions_by_bits_hold_for_all_values(pred: str, one: list[int], other: list[int], width: int) -> None:
    """What is known of a phi: the lowest and the highest of its values, and the bits of all of them."""
    lhs, rhs = ((min(values), max(values), functools.reduce(operator.or_, values)) for values in (one, other))
    known = decide(pred, lhs, rhs, width)
    assert known is None or {compare(pred, x, y, width) for x in one for y in other} == {known}
