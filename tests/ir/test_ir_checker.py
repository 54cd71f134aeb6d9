"""The checker refuses what is not well formed: one case a rule, and accepts what the generator makes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.checker import IrError, check, check_function, function_problems, problems
from pybpf.compiler.ir.function import Block, Function, Slot
from pybpf.compiler.ir.parser import parse_function, parse_module
from tests.ir.random_ir import random_module


def function(body: str, head: str = 'f(%ctx: ptr) section "xdp"') -> Function:
    return parse_function(f"func {head} {{ slot $buf size 8 align 8 @entry: {body} }}")


def test_random_modules_are_well_formed() -> None:
    for seed in range(150):
        check(random_module(random.Random(seed)))


def test_all_problems_are_listed() -> None:
    broken = function("%x = add %ctx, 1 %y = zext.9 %x ret %y")
    assert len(function_problems(broken)) == 2
    with pytest.raises(IrError, match=r"(?s)add %0\.ctx, 1: a pointer where an int belongs.*size is 9"):
        check_function(broken)


# Broken text, and what is said of it.
TEXTS = {
    "terminator missing": ("%x = add 1, 2", "does not end with a terminator"),
    "terminator inside": ("jump @b %x = add 1, 2 jump @b @b: ret 0", "terminator before the end"),
    "same targets": ("br eq 1, 2, @b, @b @b: ret 0", "both targets are the same"),
    "entry target": ("jump @entry", "jumps to the entry"),
    "phi late": ("jump @b @b: %x = add 1, 2 %p = phi @entry: 0 ret %p", "phi after another"),
    "phi entry missing": ("br eq 1, 2, @b, @c @c: jump @b @b: %p = phi @entry: 0 ret %p", "predecessors are @entry"),
    "phi entry twice": ("jump @b @b: %p = phi @entry: 0, @entry: 1 ret %p", "the predecessors are @entry"),
    "phi of another block": ("jump @b @b: %p = phi @b: 0 ret %p", "the predecessors are @entry"),
    "use before definition": ("%x = add %y, 1 %y = add 1, 2 ret %x", "not defined on every way"),
    "use of itself": ("%x = add %x, 1 ret %x", "not defined on every way"),
    "use beside definition": (
        "br eq 1, 2, @b, @c @b: %x = add 1, 2 jump @d @c: jump @d @d: ret %x", "not defined on every way"),
    "phi input too late": ("jump @b @b: %p = phi @entry: %x %x = add 1, 2 ret %p", "not defined on every way"),
    "use of the unreachable": ("ret %x @b: %x = add 1, 2 ret %x", "not defined on every way"),
    "pointer arithmetic": ("%x = add %ctx, 8 ret %x", "a pointer where an int belongs"),
    "pointer difference at 32": ("%x = sub.32 %ctx, %ctx ret %x", "a pointer where an int belongs"),
    "pointer minus int": ("%x = sub %ctx, 4 ret %x", "a pointer where an int belongs"),
    "pointer multiplied": ("%x = mul 2, %ctx ret %x", "a pointer where an int belongs"),
    "pointer extended": ("%x = zext.32 %ctx ret %x", "a pointer where an int belongs"),
    "pointer swapped": ("%x = swap.32 %ctx ret %x", "a pointer where an int belongs"),
    "toint of int": ("%x = toint 8 ret %x", "an int where a pointer belongs"),
    "core load of another kind": (
        '%x = load.u32 core 2 struct t "0:1" [%ctx+4] ret %x', "a fact of kind 2"),
    "core of no kind": ('%x = core 13 struct t "0" = 1 ret %x', "a fact of kind 13"),
    "core pointer load by int": ('%x = load.u32 core 0 struct t "0:1" [8+4] ret %x', "an int where a pointer belongs"),
    "ptradd of int": ("%x: ptr = ptradd 8, 8 ret 0", "an int where a pointer belongs"),
    "ptradd by pointer": ("%x: ptr = ptradd %ctx, %ctx ret 0", "a pointer where an int belongs"),
    "pointer against int": ("%x = cmp eq %ctx, 1 ret %x", "compares a pointer with an int"),
    "pointer compared narrow": ("%x = cmp.32 eq %ctx, 0 ret %x", "at width 64"),
    "pointer compared signed": ("%x = cmp slt %ctx, %ctx ret %x", "compared unsigned"),
    "pointer tested by bits": ("br set %ctx, %ctx, @b, @c @b: ret 0 @c: ret 1", "compared unsigned"),
    "phi of kinds": ("jump @b @b: %p = phi @entry: %ctx ret %p", "a pointer where an int belongs"),
    "pointer phi of int": ("jump @b @b: %p: ptr = phi @entry: 8 ret 0", "an int where a pointer belongs"),
    "guard changes kind": ("%g = guard %ctx ret %g", "guards a value of kind ptr as int"),
    "load from int": ("%x = load.u8 [4096+0] ret %x", "an int where a pointer belongs"),
    "load of three bytes": ("%x = load.u24 [%ctx+0] ret %x", "size is 24"),
    "load of a narrow pointer": ("%x: ptr = load.u16 [%ctx+0] ret 0", "unsigned, from 32 or 64"),
    "load of a signed pointer": ("%x: ptr = load.i32 [%ctx+0] ret 0", "unsigned, from 32 or 64"),
    "load far away": ("%x = load.u8 [%ctx+32768] ret %x", "does not fit 16 bits"),
    "constant load of a slot": ("%a: ptr = slot $buf %x = load.u8 const [%a+0] ret %x", "a stack slot is not constant"),
    "store to int": ("store.8 [8+0], 1 ret 0", "an int where a pointer belongs"),
    "store of half a pointer": ("store.32 [%ctx+0], %ctx ret 0", "a pointer is stored whole"),
    "store far away": ("store.32 [%ctx-32769], 1 ret 0", "does not fit 16 bits"),
    "atomic on a pointer": ("atomic add [%ctx+0], %ctx ret 0", "a pointer where an int belongs"),
    "cmpxchg without expected": ("%x = atomic cmpxchg [%ctx+0], 1 ret %x", "has an expected value"),
    "add with expected": ("atomic add [%ctx+0], 1, 2 ret 0", "has an expected value"),
    "xchg without result": ("atomic xchg [%ctx+0], 1 ret 0", "xchg always fetches"),
    "return of a pointer": ("ret %ctx", "a pointer where an int belongs"),
    "swap of a byte": ("%x = swap.8 1 ret %x", "size is 8"),
    "extension to 64": ("%x = zext.64 1 ret %x", "size is 64"),
    "helper number": ("call nothing#0() ret 0", "helper number 0"),
    "six arguments": ("call f#1(1, 2, 3, 4, 5, 6) ret 0", "6 arguments"),
    "past the guard": (
        "%p: ptr = call f#1() br eq %p, 0, @b, @c @b: ret 0 @c: %g: ptr = guard %p %x = load.u8 [%p+0] ret %x",
        "not through the guard"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_refused(name: str) -> None:
    body, message = TEXTS[name]
    found = function_problems(function(body))
    assert len(found) >= 1
    assert message in found[0]


# What can't be written as text: changes of `%x = add 1, 2; jump @b; @b: ret %x`.
def twice(f: Function) -> None:
    f.blocks[1].ops.insert(0, f.blocks[0].ops[0])


def foreign_block(f: Function) -> None:
    f.blocks[0].ops[-1] = ops.Jump(Block("b", [ops.Return(ops.Const(0))]))


def change(**fields: Any) -> Any:
    def run(f: Function) -> None:
        for field, value in fields.items():
            setattr(f.blocks[0].ops[0], field, value)

    return run


def operand(value: ops.Value) -> Any:
    return lambda f: setattr(f.blocks[1].ops[-1], "value", value)


def big() -> ops.Const:
    const = ops.Const(0)
    const.value = 1 << 63
    return const


BUILT = {
    "no blocks": (lambda f: f.blocks.clear(), "no blocks"),
    "empty block": (lambda f: f.blocks.append(Block("c")), "does not end with a terminator"),
    "label twice": (lambda f: setattr(f.blocks[1], "label", "entry"), "two blocks have this label"),
    "operation twice": (twice, "stands in two places"),
    "foreign block": (foreign_block, "target is not a block of this function"),
    "foreign value": (operand(ops.Binary("add", ops.Const(1), ops.Const(2))), "is not defined in this function"),
    "foreign parameter": (operand(ops.Param(0)), "is not defined in this function"),
    "operand without result": (lambda f: operand(f.blocks[0].ops[-1])(f), "operand has no result"),
    "large constant": (operand(big()), "out of range"),
    "operator": (change(op="pow"), "operator is pow"),
    "width": (change(width=16), "width is 16"),
    "parameter index": (lambda f: setattr(f.params[0], "index", 1), "parameter 0 has index 1"),
    "slot twice": (lambda f: f.slots.append(f.slots[0]), "is listed twice"),
    "slot alignment": (lambda f: setattr(f.slots[0], "align", 3), "alignment 3"),
    "slot size": (lambda f: setattr(f.slots[0], "size", 0), "size 0"),
    "foreign slot": (lambda f: f.blocks[0].ops.insert(0, ops.SlotAddr(Slot("x", 8))), "not one of this function's"),
    "not an operation": (lambda f: f.blocks[0].ops.insert(0, strange()), "is not an operation"),
    "predicate": (
        lambda f: f.blocks[0].ops.insert(0, ops.Cmp("lt", ops.Const(0), ops.Const(0))), "predicate is lt"),
    "void phi": (lambda f: f.blocks[1].ops.insert(0, phi(f)), "kind is void"),
}  # fmt: skip


def phi(f: Function) -> ops.Phi:
    return ops.Phi([(f.blocks[0], ops.Const(0))], "void")


class Strange(ops.Op):
    kind = "int"
    name = ""
    span = None


def strange() -> ops.Op:
    return Strange()


@pytest.mark.parametrize("name", BUILT)
def test_hand_built_ir_is_refused(name: str) -> None:
    breaks, message = BUILT[name]
    f = function("%x = add 1, 2 jump @b @b: ret %x")
    assert function_problems(f) == []
    breaks(f)
    assert message in "\n".join(function_problems(f))


MODULE = """module "m" license "GPL"
map table HASH#1 key u32 value u32 entries 1
global count: u64 = zero 8
func f(%ctx: ptr) section "xdp" {{ @entry: {body} ret 0 }}
func callback(%a: int, %b: ptr) section ".text" static {{ @entry: ret %b }}
func plain() section ".text" {{ @entry: ret 0 }}
"""

SYMBOLS = {
    "map": ("%m: ptr = map count", "count is not one of the module's maps"),
    "global": ("%m: ptr = global table", "table is not one of the module's globals"),
    "function": ("%m: ptr = func table", "table is not one of the module's functions"),
    "call": ("call gone()", "gone is not one of the module's functions"),
    "not static": ("%m: ptr = func plain", "not static"),
    "argument count": ("call callback(1)", r"callback takes (int, ptr)"),
    "argument kind": ("call callback(%ctx, %ctx)", r"callback takes (int, ptr)"),
}


@pytest.mark.parametrize("name", SYMBOLS)
def test_symbols_that_are_not_there(name: str) -> None:
    body, message = SYMBOLS[name]
    found = problems(parse_module(MODULE.format(body=body)))
    assert len(found) == 1
    assert message in found[0]


def test_symbols_that_are_there() -> None:
    body = "%m: ptr = map table %g: ptr = global count %c: ptr = func callback call callback(1, 0) call plain()"
    check(parse_module(MODULE.format(body=body)))


def test_a_symbol_is_defined_once() -> None:
    module = parse_module(MODULE.format(body=""))
    module.maps[0].name = "count"
    assert problems(module) == ["symbol count is defined twice"]
