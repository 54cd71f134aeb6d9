"""The machine code of a module, run by the ISA alone in the memory of the IR's interpreter.

    observe(module, packet, machine=emulated(codes))

gives what tests/ir/random_ir.py's `observe` gives of the IR. Registers and stack bytes that were never written hold
numbers drawn by chance, so that code which depends on one shows it.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

from pybpf.compiler.ir.interp import Machine
from pybpf.compiler.isa.execute import execute
from pybpf.compiler.isa.insn import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybpf.compiler.codegen.emit import MachineCode

LOCAL = 1 << 20  # calls of subprograms become calls of helpers from this number on
STACK = 512


def emulated(codes: Sequence[MachineCode]) -> Callable[..., Machine]:
    """What makes a machine that runs `codes`."""
    return partial(_Emulated, codes)


class _Registers(dict[int, int]):
    def __init__(self, chance: random.Random, known: dict[int, int]) -> None:
        super().__init__(known)
        self.chance = chance

    def __missing__(self, number: int) -> int:
        return self.chance.getrandbits(64)


class _Emulated(Machine):
    def __init__(self, codes: Sequence[MachineCode], *made: Any, **more: Any) -> None:
        super().__init__(*made, **more)
        self.chance = random.Random(len(codes[0].code))
        self.codes = list(codes)
        self.numbers = {code.name: number for number, code in enumerate(codes)}
        self.insns = [self._linked(code) for code in codes]

    def _linked(self, code: MachineCode) -> Any:
        insns = decode(code.code)
        relocs = {reloc.offset // 8: reloc for reloc in code.relocs}
        at = 0
        for insn in insns:
            reloc = relocs.get(at)
            if reloc is not None and reloc.kind == "call":
                insn.imm = LOCAL + self.numbers[reloc.symbol]
            elif reloc is not None:
                insn.imm = self.symbols[reloc.symbol]
            at += insn.slots
        return insns

    def run(self, name: str, arguments: Sequence[int]) -> int:
        number = self.numbers[name]
        frame = self.memory.add(self.chance.randbytes(STACK), f"frame of {name}")
        registers = _Registers(self.chance, {1 + n: value for n, value in enumerate(arguments)})
        registers[10] = frame.base + STACK
        try:
            execute(self.insns[number], registers, self.memory.read, self.memory.write, self._call, 10 * self.fuel)
        finally:
            self.memory.remove(frame)
        return registers[0]

    def _call(self, number: int, arguments: list[int]) -> int:
        if number >= LOCAL:
            return self.run(self.codes[number - LOCAL].name, arguments)
        return self.helpers[number](self, arguments)
