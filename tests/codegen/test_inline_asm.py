"""`asm(...)` through register allocation: random texts under pressure compute what the IR's interpreter says."""

from __future__ import annotations

import random

import pytest

from pybpf.compiler.codegen import compile_function
from pybpf.compiler.codegen.checker import Checker
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.checker import check
from pybpf.compiler.ir.function import Block, Function, Module
from pybpf.compiler.ir.interp import Machine
from pybpf.compiler.ir.parser import parse_module
from pybpf.compiler.ir.printer import print_module
from pybpf.compiler.isa.execute import execute
from pybpf.compiler.isa.insn import decode


def _text(rng: random.Random, inputs: int, result: bool) -> str:
    """Instructions over operands and a few registers of their own; a call at times."""
    owned = rng.sample(range(10), rng.randint(0, min(4, 9 - inputs)))
    names = [f"{{{n}}}" for n in range(1, inputs + 1)] + [f"r{n}" for n in owned]
    lines = [f"r{n} = {rng.randrange(100)}" for n in owned]
    if result:
        lines.append(f"{{0}} = {rng.randrange(100)}")
        names.append("{0}")
    for _ in range(rng.randint(1, 6) if names else 0):
        target = rng.choice(names)
        lines.append(f"{target} {rng.choice(('+=', '*=', '^=', '-='))} {rng.choice([*names, '7'])}")
    if inputs <= 3 and rng.random() < 0.3 and not any(n > 5 for n in owned):
        lines += ["r1 = 5", "call 5"] + (["{0} += r0"] if result else [])
    return "; ".join(lines or ["r3 = 1"])


def _module(rng: random.Random) -> Module:
    entry = Block("entry")
    context = ops.Param(0, "ptr", "ctx")
    function = Function("p", "xdp", [context], [entry])
    values: list[ops.Value] = [ops.Const(3)]
    for n in range(rng.randint(2, 9)):
        entry.ops.append(ops.Load(context, 4 * n, 32))
        values.append(entry.ops[-1])
    for _ in range(rng.randint(1, 6)):
        count = rng.randint(0, 4)
        result = rng.random() < 0.8
        text = _text(rng, count, result)
        used = [n for n in range(1, count + 1) if f"{{{n}}}" in text]
        for new, old in enumerate(used, 1):
            text = text.replace(f"{{{old}}}", f"{{{new}}}")
        entry.ops.append(ops.Asm(text, [rng.choice(values) for _ in used], "int" if result else "void"))
        if result:
            values.append(entry.ops[-1])
        if rng.random() < 0.5:
            entry.ops.append(ops.Binary("add", rng.choice(values), rng.choice(values)))
            values.append(entry.ops[-1])
    total = values[0]
    for value in values[1:]:
        entry.ops.append(ops.Binary("add", total, value))
        total = entry.ops[-1]
    entry.ops.append(ops.Return(total))
    return Module([function], name="random")


@pytest.mark.parametrize("seed", range(200))
def test_allocated_code_computes_the_same(seed: int) -> None:
    rng = random.Random(seed)
    module = _module(rng)
    check(module)
    text = print_module(module)
    assert print_module(parse_module(text)) == text
    context = bytes(rng.randrange(256) for _ in range(40))
    machine = Machine(module, {5: lambda machine, arguments: arguments[0] + 11})
    expected = machine.run("p", [machine.memory.add(context, "ctx").base])
    code = compile_function(module.functions[0], 3, Checker)
    memory = {n: bytes([byte]) for n, byte in enumerate(context, 1 << 20)}

    def read(address: int, size: int) -> bytes:
        return b"".join([memory[address + n] for n in range(size)])

    def write(address: int, data: bytes) -> None:
        memory.update({address + n: data[n : n + 1] for n in range(len(data))})

    registers = {1: 1 << 20, 10: 1 << 30}
    execute(decode(code.code), registers, read, write, lambda number, arguments: arguments[0] + 11)
    assert registers[0] == expected
