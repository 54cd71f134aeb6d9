"""The interpreter: what it computes, and what it refuses to do."""

from __future__ import annotations

import pytest

from pybpf.compiler.ir.interp import Machine, OutOfFuel, Trap
from pybpf.compiler.ir.parser import parse_module

HEAD = """module "m" license "GPL"
map table HASH#1 key u32 value u64 entries 1
global count: u64 = x"0500000000000000"
global limit: u64 const = x"0700000000000000"
"""


def machine(body: str, params: str = "", slots: str = "", more: str = "") -> Machine:
    text = f'{HEAD} func f({params}) section ".text" {{ {slots} @entry: {body} }} {more}'
    return Machine(parse_module(text), {9: lambda machine, args: args[0] + 1}, fuel=1000)


def test_a_loop() -> None:
    body = """jump @head
    @head: %i = phi @entry: 0, @body: %j %s = phi @entry: 0, @body: %t br ult %i, %n, @body, @end
    @body: %j = add %i, 1 %t = add %s, %j jump @head
    @end: ret %s"""
    assert machine(body, "%n: int").run("f", [10]) == 55


def test_phis_are_one_parallel_copy() -> None:
    body = """jump @head
    @head: %a = phi @entry: 1, @head: %b %b = phi @entry: 2, @head: %a %n = phi @entry: 0, @head: %m
    %m = add %n, 1 br ult %m, 4, @head, @end
    @end: %r = shl %a, 8 %s = or %r, %b ret %s"""
    assert machine(body).run("f", []) == 0x201


def test_globals_keep_their_values_between_runs() -> None:
    m = machine("%g: ptr = global count %o = atomic add [%g+0], 1 ret %o")
    assert [m.run("f", []) for _ in range(3)] == [5, 6, 7]


def test_atomics() -> None:
    body = """%g: ptr = global count %a = atomic cmpxchg [%g+0], 9, 5 %b = atomic cmpxchg [%g+0], 1, 5
    %c = atomic xchg [%g+0], 258 %d = atomic.32 xor [%g+0], -1 %e = load.u64 [%g+0]
    %s1 = shl %a, 8 %s2 = or %s1, %b %s3 = shl %s2, 8 %s4 = or %s3, %c
    %x = sub %e, 4294967037 %s5 = or %s4, %x ret %s5"""
    assert machine(body).run("f", []) == 0x050909


def test_calls_and_helpers() -> None:
    more = """func g(%x: int) section ".text" static { slot $s size 8 align 8
    @entry: %p: ptr = slot $s store.8 [%p+3], %x %y = load.i8 [%p+3] ret %y }"""
    m = machine("%a = call g(%n) %b = call next#9(%a) ret %b", "%n: int", more=more)
    assert m.run("f", [0x80]) == (1 << 64) - 127


def test_helpers_know_symbols() -> None:
    seen: list[tuple[str, int]] = []

    def look(machine: Machine, args: list[int]) -> int:
        seen.append((machine.symbol(args[0]), args[1]))
        return 4

    m = machine("%t: ptr = map table %x = call look#1(%t, 3) ret %x")
    m.helpers = {1: look}
    assert m.run("f", []) == 4
    assert seen == [("table", 3)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("%x = load.u8 [%p+8] ret %x", "outside any region"),
        ("%x = load.u64 [%p+1] ret %x", "outside any region"),
        ("%x = load.u8 [%p-1] ret %x", "outside any region"),
        ("%g: ptr = guard 0 %x = load.u8 [%g+0] ret %x", "outside any region"),
        ("%g: ptr = guard 0 %x: ptr = ptradd %g, 1 ret 0", "null pointer"),
        ("%s: ptr = slot $s %x = load.u64 [%s+0] ret %x", "unwritten"),
        ("%s: ptr = slot $s store.32 [%s+0], 1 %x = load.u64 [%s+0] ret %x", "unwritten"),
        ("%s: ptr = slot $s store.64 [%s+4], 1 ret 0", "outside any region"),
        ("%g: ptr = global limit store.8 [%g+0], 1 ret 0", "read-only"),
        ("call unknown#7() ret 0", "no helper unknown#7"),
        ("unreachable", "cannot be reached"),
    ],
)
def test_traps(body: str, message: str) -> None:
    m = machine(body, "%p: ptr", "slot $s size 8 align 8")
    region = m.memory.add(bytes(8), "ctx")
    with pytest.raises(Trap, match=message):
        m.run("f", [region.base])


def test_endless_loops_end() -> None:
    with pytest.raises(OutOfFuel):
        machine("jump @l @l: jump @l").run("f", [])


def test_frames_come_and_go() -> None:
    m = machine("%s: ptr = slot $s store.64 [%s+0], 1 ret 0", slots="slot $s size 8 align 8")
    count = len(m.memory.regions)
    m.run("f", [])
    assert len(m.memory.regions) == count
