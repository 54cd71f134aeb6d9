"""What facts.py says of numbers, the verifier knows too: passes take masks and checks away by it.

A random function computes with numbers and branches on them. At the end of each block each claim (low, high, mask)
about a number becomes a store that is inside its memory only just: one byte more, and it is refused.

Seeds are fixed, since the verifier also follows ways that can't be taken, on which it may know what contradicts itself,
and forgets the ranges of copies that had something added to them (sync_linked_regs).
"""

from __future__ import annotations

import errno
import os
from random import Random
from typing import TYPE_CHECKING

import pytest

from pybpf.compiler.analysis import ranges
from pybpf.compiler.analysis.dominators import dominators
from pybpf.compiler.analysis.facts import Facts
from pybpf.compiler.analysis.ranges import Ranges
from pybpf.compiler.codegen import compile_function
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.arith import MASK64
from pybpf.compiler.ir.checker import check_function
from pybpf.compiler.ir.function import Block, Function
from pybpf.compiler.ir.printer import print_function
from tests.codegen import kernel
from tests.codegen.load_module import ARRAY, link, make_map

if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.analysis.ranges import Known
    from pybpf.compiler.ir.ops import Value

SIZE = 4096  # bytes of the memory that is written
LEVELS = (1, 2, 3, 4)
SEEDS = 100  # of functions, at each level
CONSTANTS = [0, 1, 2, 3, 5, 7, 8, 15, 16, 63, 64, 100, 127, 128, 200, 255, 256, 1000, 4095, 65535, 1 << 16, 1 << 20,
             (1 << 31) - 1, 1 << 31, MASK64 >> 32, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, MASK64 - 99, MASK64 - 1,
             MASK64]  # fmt: skip
OPERATIONS = [
    "and",
    "and",
    "and",
    "or",
    "xor",
    "add",
    "add",
    "sub",
    "mul",
    "shl",
    "lshr",
    "lshr",
    "ashr",
    "umod",
    "udiv",
]


class _Writer:
    """Fills one function with blocks that are each under the one before, or under a branch of it."""

    def __init__(self, choices: Random, size: int) -> None:
        self.choices = choices
        self.function = Function("prog", "xdp", [ops.Param(0, "ptr", "ctx")])
        self.block = self.start()
        self.base = self.add(ops.GlobalAddr("state"))
        self.values: list[Value] = [self.load() for _ in range(2)]
        for _ in range(size):
            self.statement(0)
        self.add(ops.Return(ops.Const(0)))

    def start(self) -> Block:
        block = Block(f"b{len(self.function.blocks)}")
        self.function.blocks.append(block)
        self.block = block
        return block

    def add(self, op: ops.Op) -> ops.Op:
        self.block.ops.append(op)
        return op

    def one(self, items: Any) -> Any:
        return items[self.choices.randrange(len(items))]

    def load(self) -> Value:
        bits = self.one([8, 16, 32, 64])
        return self.add(ops.Load(self.base, 8 * self.choices.randrange(8), bits, self.choices.randrange(3) == 2))

    def constant(self) -> Value:
        value = self.one(CONSTANTS)
        return ops.Const(value - (1 << 64) if value >> 63 else value)

    def value(self) -> Value:
        near = self.values[-4:] if self.choices.randrange(2) else self.values
        found: Value = self.one(near)
        return found

    def statement(self, depth: int) -> None:
        kind = self.choices.randrange(12)
        if kind == 0:
            self.values.append(self.load())
        elif kind <= 5:
            self.values.append(self.binary())
        elif kind == 6:
            self.values.append(self.add(ops.Extend(self.value(), self.one([8, 16, 32]), self.one([True, False]))))
        elif kind == 7:
            self.values.append(self.add(ops.Cmp(*self.test())))
        elif kind <= 9 or depth > 1:
            self.ended()
        else:
            self.diamond(depth)

    def binary(self) -> Value:
        op, width = self.one(OPERATIONS), self.one([64, 64, 64, 32])
        lhs = self.value()
        if op in ("shl", "lshr", "ashr"):
            rhs = ops.Const(self.choices.randrange(width))
        else:
            rhs = self.one([self.constant, self.constant, self.value])()
        return self.add(ops.Binary(op, lhs, rhs, width))

    def test(self) -> tuple[str, Value, Value, int]:
        pred = self.one([p for p in ops.PREDICATES if p != "set"])
        return (
            pred,
            self.value(),
            self.one([self.constant, self.constant, self.constant, self.value])(),
            self.one([64, 64, 32]),
        )

    def branch(self) -> ops.Branch:
        pred, lhs, rhs, width = self.test()
        made = ops.Branch(pred, lhs, rhs, self.block, self.block, width)
        self.add(made)
        return made

    def ended(self) -> None:
        """One way ends, the other goes on."""
        branch = self.branch()
        last = self.start()
        self.add(ops.Return(ops.Const(1)))
        going = self.start()
        branch.then, branch.other = (last, going) if self.choices.randrange(2) else (going, last)

    def diamond(self, depth: int) -> None:
        """Two ways that meet again, with a number that differs."""
        above, branch = self.block, self.branch()
        known = list(self.values)
        arms: list[tuple[Block | None, Block, Value]] = []
        for _ in range(1 + self.choices.randrange(2)):
            first = self.start()
            for _ in range(1 + self.choices.randrange(2)):
                self.statement(depth + 1)
            arms.append((first, self.block, self.one([self.value, self.constant])()))
            self.values = list(known)
        if len(arms) == 1:
            arms.append((None, above, self.one(known)))
        join = self.start()
        for _, end, _ in arms:
            if end is not above:
                end.ops.append(ops.Jump(join))
        targets = [first or join for first, _, _ in arms]
        if self.choices.randrange(2):
            targets.reverse()
        branch.then, branch.other = targets
        self.values.append(self.add(ops.Phi([(end, value) for _, end, value in arms])))


def claimed(function: Function, base: Value) -> list[tuple[Block, Value, str, list[ops.Op]]]:
    """For each claim about a value at the end of a block: the operations that are right only if it holds."""
    tree = dominators(function)
    facts = Facts(tree, Ranges())
    made: list[tuple[Block, Value, str, list[ops.Op]]] = []
    for block in tree.order:
        for value in [op for above in tree.order if tree.dominates(above, block) for op in above.ops]:
            if type(value) not in (ops.Binary, ops.Extend, ops.Load, ops.Phi, ops.Cmp):
                continue
            low, high, mask = facts.of(value, block)
            if (low, high, mask) == (0, MASK64, MASK64):
                continue
            guard = ops.Guard(value, "int")
            away = max(high.bit_length() - 11, 0)
            index: list[ops.Op] = [guard]
            if away:
                index.append(ops.Binary("lshr", guard, ops.Const(away)))
            made.append((block, value, f"at most {high}", [*index, *write(base, index[-1], SIZE - 1 - (high >> away))]))
            if low >> away:
                guard = ops.Guard(value, "int")
                index = [guard, ops.Binary("lshr", guard, ops.Const(away))] if away else [guard]
                made.append((block, value, f"at least {low}", [*index, *write(base, index[-1], -(low >> away))]))
            rest = MASK64 & ~mask
            if rest != MASK64 & ~((1 << high.bit_length()) - 1):
                guard = ops.Guard(value, "int")
                zero = ops.Binary("and", guard, ops.Const(rest - (1 << 64) if rest >> 63 else rest))
                made.append((block, value, f"no bit of {rest:#x}", [guard, zero, *write(base, zero, SIZE - 1)]))
    return made


def write(base: Value, index: Value, offset: int) -> list[ops.Op]:
    place = ops.PtrAdd(base, index)
    return [place, ops.Store(place, offset, 8, ops.Const(0))]


def put(claims: list[tuple[Block, Value, str, list[ops.Op]]]) -> None:
    for block, _, _, made in claims:
        block.ops[-1:-1] = made


def take(claims: list[tuple[Block, Value, str, list[ops.Op]]]) -> None:
    for block, _, _, made in claims:
        block.ops = [op for op in block.ops if op not in made]


def refusal(function: Function, level: int, memory: int) -> str:
    """What the verifier says, or ""."""
    code = compile_function(function, level)
    text = link([code], {}, {"state": memory})
    fd, _ = kernel.load(text, kernel.XDP)
    if fd >= 0:
        os.close(fd)
        return ""
    log = kernel.load(text, kernel.XDP, log_level=1)[1]
    return f"{errno.errorcode.get(-fd)}: {log[-3000:]}"


def examine(choices: Random, size: int, level: int) -> None:
    writer = _Writer(choices, size)
    function = writer.function
    check_function(function)
    assert refusal_of(function, level) == ""
    claims = claimed(function, writer.base)
    put(claims)
    if not refusal_of(function, level):
        return
    take(claims)
    for claim in claims:
        put([claim])
        text = refusal_of(function, level)
        if text:
            names = print_function(function)
            pytest.fail(f"v{level}: in @{claim[0].label} it is {claim[2]}\n{names}\n{text}", pytrace=False)
        take([claim])


_memory: list[int] = []


def refusal_of(function: Function, level: int) -> str:
    if not _memory:
        _memory.append(make_map(ARRAY, 4, SIZE, 1))
    return refusal(function, level, _memory[0])


@pytest.mark.kernel
@pytest.mark.skipif(bool(kernel.why_not()), reason=str(kernel.why_not()))
@pytest.mark.parametrize("level", LEVELS)
def test_the_verifier_knows_what_facts_say(level: int) -> None:
    for seed in range(SEEDS):
        examine(Random(seed), 1 + seed % 14, level)


@pytest.mark.kernel
@pytest.mark.skipif(bool(kernel.why_not()), reason=str(kernel.why_not()))
def test_a_claim_that_is_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if remainders were known."""
    rule = ranges._RULES[ops.Binary]

    def known(self: Ranges, op: ops.Binary, depth: int) -> Known:
        low, high, mask = rule(self, op, depth)
        return (low, 7, 7) if op.op == "umod" and type(op.rhs) is ops.Const and op.rhs.value == 8 else (low, high, mask)

    monkeypatch.setitem(ranges._RULES, ops.Binary, known)
    with pytest.raises(pytest.fail.Exception, match="at most 7"):
        for seed in range(1000):
            examine(Random(seed), 8, 3)
