"""Random modules with far more live variables than there are registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Function
from tests.ir import random_ir

if TYPE_CHECKING:
    import random

    from pybpf.compiler.ir.function import Module


class _Crowded(random_ir._Generator):
    """Starts with `count` variables, which all go into the result."""

    def __init__(self, rng: random.Random, function: Function, size: int, count: int, *, calls: bool) -> None:
        super().__init__(rng, function, size, calls=calls)
        self.count = count

    def fill(self) -> None:
        for start in range(0, 32, 8):
            self.emit(ops.Store(self.emit(ops.SlotAddr(self.buffer)), start, 64, ops.Const(start)))
        self.emit(ops.Store(self.emit(ops.SlotAddr(self.local)), 0, 64, ops.Const(7)))
        while len(self.vars) < self.count:
            self.vars.append(self.load(self.emit(ops.GlobalAddr("state")), len(self.vars) * 3 % 56, 64))
        self.statements(0)
        total = self.vars[0]
        for value in self.vars[1:]:
            total = self.emit(ops.Binary("xor", self.emit(ops.Binary("mul", total, ops.Const(3))), value))
        self.emit(ops.Return(self.emit(ops.Binary("and", total, ops.Const(3))) if self.ctx else total))


def crowded_module(rng: random.Random, size: int, count: int) -> Module:
    """A module as random_ir makes it, with a crowded program in place of its own."""
    module = random_ir.random_module(rng, 2)
    program = Function("prog", "xdp", [ops.Param(0, "ptr", "ctx")])
    _Crowded(rng, program, size, count, calls=len(module.functions) > 1).fill()
    module.functions[0] = program
    return module


def crowded_modules(size: int = 20) -> st.SearchStrategy[Module]:
    """Modules whose program has 6 to 20 variables."""
    return st.builds(crowded_module, st.randoms(use_true_random=False), st.integers(1, size), st.integers(6, 20))
