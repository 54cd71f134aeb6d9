"""The text of `asm(...)`: what is understood, what the compiler learns of it, and what running it gives."""

from __future__ import annotations

import pytest

from pybpf.compiler.isa.asm import AsmError, assemble
from pybpf.compiler.isa.effects import OPERAND
from pybpf.compiler.isa.execute import TooLong, execute
from pybpf.compiler.isa.inline import read_inline

OUT, A, B = OPERAND, OPERAND + 1, OPERAND + 2
NAMES = {"out": OUT, "a": A, "b": B, "k": 7}


def run(text: str, a: int = 0, b: int = 0, memory: bytearray | None = None) -> int:
    memory = bytearray(16) if memory is None else memory

    def read(address: int, size: int) -> bytes:
        assert 0 <= address <= len(memory) - size
        return bytes(memory[address : address + size])

    def write(address: int, data: bytes) -> None:
        assert 0 <= address <= len(memory) - len(data)
        memory[address : address + len(data)] = data

    registers = {A: a, B: b}
    execute(assemble(text, NAMES), registers, read, write, lambda number, args: number * 1000 + args[0], 1000)
    return registers.get(OUT, 0)


def test_what_is_learned() -> None:
    found = read_inline("r3 = {a}; {b} += r3; call bpf_x#5; {out} = r0 // done", NAMES, True)
    assert found.changed == {OUT, B}
    assert found.used == {OUT, A, B}
    assert found.named == {0, 1, 2, 3, 4, 5}
    assert found.helpers == (5,)
    assert found.places == ((1, 1, 8), (1, 11, 9), (1, 22, 12), (1, 36, 10))


def test_places_behind_labels_and_comments() -> None:
    found = read_inline("// first\n  a: b: {out} = 1; // c\n\n if {a} > 1 goto a; c:", NAMES, True)
    assert found.places == ((2, 9, 9), (4, 2, 17))


@pytest.mark.parametrize(
    ("text", "a", "b", "result"),
    [
        ("{out} = {a}; {out} += {k:i}", 3, 0, 10),
        ("{out} = {a}; {out} += -{k:i}", 3, 0, 2**64 - 4),
        ("{out:w} = {a:w}", 2**40 + 5, 0, 5),
        ("{out} = {a}; {out} /= {b}", 7, 0, 0),
        ("{out} = {a}; {out} %= {b}", 7, 0, 7),
        ("{out} = {a}; {out} s/= {b}", 2**64 - 7, 2, 2**64 - 3),
        ("{out} = (s8){a}", 0x80, 0, 2**64 - 128),
        ("{out} = {a}; {out} = be16 {out}", 0x11223344, 0, 0x4433),
        ("{out} = {a}; {out} = le16 {out}", 0x11223344, 0, 0x3344),
        ("{out} = {a}; {out} = bswap64 {out}", 1, 0, 1 << 56),
        ("{out} = {a}; {out} = -{out}", 1, 0, 2**64 - 1),
        ("{out} = 0x1122334455667788 ll", 0, 0, 0x1122334455667788),
        ("{out} = 0; if {a:w} s> {b:w} goto e; {out} = 1; e:", 0xFFFFFFFF, 1, 1),
        ("{out} = 0; if {a} & 4 goto e; {out} = 1; e:", 4, 1, 0),
        ("r1 = {a}; call 6; {out} = r0", 5, 0, 6005),
        ("*(u32 *)({a} + 4) = {b}; {out} = *(s16 *)({a} + 4)", 4, 0x18000, 2**64 - 0x8000),
        ("*(u64 *)({a}) = 3; lock *(u64 *)({a}) += {b}; {out} = *(u64 *)({a} - 0)", 8, 5, 8),
        ("*(u64 *)({a}) = 3; {b} = atomic64_fetch_or((u64 *)({a} +0), {b}); {out} = {b}", 0, 5, 3),
        ("*(u64 *)({a}) = 3; {b} = atomic64_xchg((u64 *)({a} +0), {b}); {out} = {b}", 0, 5, 3),
        ("r0 = 0; r0 = atomic64_cmpxchg((u64 *)({a} +0), r0, {b}); {out} = *(u64 *)({a} +0)", 0, 5, 5),
        ("r0 = 1; r0 = atomic64_cmpxchg((u64 *)({a} +0), r0, {b}); {out} = r0", 0, 5, 0),
        ("store_release((u64 *)({a} +0), {b}); {out} = load_acquire((u64 *)({a} +0))", 0, 9, 9),
    ],
)
def test_results(text: str, a: int, b: int, result: int) -> None:
    read_inline(text, NAMES, True)
    assert run(text, a, b) == result


def test_an_endless_loop_is_left() -> None:
    with pytest.raises(TooLong):
        run("{out} = 1; x: if {out} == 1 goto x")


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("{out} = {c}", "there is no operand c", 9),
        ("{out} = 1; goto pc+5", "leaves the text", 12),
        ("{out} = r7", "r7 has no value", 1),
        ("call 5; {out} = r2", "r2 has no value", 9),
        ("{out} = w1", "different widths", 1),
        ("{out} = 1; exit", "would leave the program", 12),
        ("{out} = 1; goto x; {out} = 2; x:", "never reached", 20),
        ("{out} = 1; x: x:", "label x is defined twice", 15),
        ("r1 = 1", "{out} is not set", 1),
        ("r10 = 1; {out} = 1", "r10 is the frame", 1),
        ("{out} = {a:w}", "different widths", 1),
        ("{out} = *(u8 *)({a:w} +0)", "not expected", 17),
    ],
)
def test_refusals(text: str, message: str, column: int) -> None:
    with pytest.raises(AsmError, match=message) as caught:
        read_inline(text, NAMES, True)
    assert (caught.value.line, caught.value.column) == (1, column)
