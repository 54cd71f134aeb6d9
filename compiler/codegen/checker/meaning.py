"""The function before allocation, as the checker keeps it: a copy, and which stack slots each value may point into.

The copy is needed because allocation exchanges operands in place. A value may point into a slot if it is its address
(a recipe), or is computed from one that may, by moves, arithmetic and phis. What goes where that can't be followed is
`exposed`: stored in memory, handed to a function that may keep it, used by an `asm(...)`. The slots of dynptrs are:
the verifier ties what was got from a dynptr to the bytes it lies in.
"""

from __future__ import annotations

from pybpf.compiler.codegen import machine as m
from pybpf.compiler.codegen.machine import MInsn, Symbol
from pybpf.compiler.ir.function import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MFunction

__all__ = ["Meaning"]

# bpf_dynptr_from_mem, bpf_ringbuf_reserve_dynptr, _submit_, _discard_, bpf_dynptr_read, _write, _data
_DYNPTR_HELPERS = (197, 198, 199, 200, 201, 202, 203)
_NONE: frozenset[Slot] = frozenset()


class Meaning:
    """Blocks are numbers. `edges[b][i]` is where the i-th edge leads, and the (parameter, value) pairs it passes."""

    def __init__(self, fn: MFunction) -> None:
        self.name = fn.name
        self.params = list(fn.params)
        self.recipes = dict(fn.recipes)
        self.blocks = [[_copied(insn) for insn in block.insns] for block in fn.blocks]
        self.edges = [
            [
                (target.number, list(zip(target.params, args, strict=True)))
                for target, args in zip(block.succs, block.args, strict=True)
            ]
            for block in fn.blocks
        ]
        self._pointing: dict[int, frozenset[Slot]] = {}
        self.exposed = _NONE
        if any([recipe.form is m.FRAME for recipe in self.recipes.values()]):
            self._follow_addresses()

    def slots_of(self, v: int) -> frozenset[Slot]:
        """The slots that the value may point into."""
        return self._pointing.get(v, _NONE)

    def _follow_addresses(self) -> None:
        for v, recipe in self.recipes.items():
            if type(recipe.ref) is Slot:
                self._pointing[v] = frozenset([recipe.ref])
        from_: list[tuple[int, int]] = []  # (value, one that it is computed from)
        insns = [insn for block in self.blocks for insn in block]
        for insn in insns:
            if insn.form in (m.MOV_X, m.ALU_K, m.ALU_X):
                from_ += [(insn.dst, source) for source in insn.srcs]
        for edges in self.edges:
            from_ += [pair for _, pairs in edges for pair in pairs]
        changed = True
        while changed:
            changed = False
            for v, source in from_:
                both = self.slots_of(v) | self.slots_of(source)
                if both != self.slots_of(v):
                    self._pointing[v] = both
                    changed = True
        for insn in insns:
            for v in _given_away(insn):
                self.exposed |= self.slots_of(v)


def _copied(insn: MInsn) -> MInsn:
    return MInsn(insn.form, insn.op, insn.dst, insn.srcs, insn.off, insn.imm, insn.ref, insn.span)


def _given_away(insn: MInsn) -> tuple[int, ...]:
    """The operands that the instruction keeps, or that are read and written in a way that is not seen."""
    form = insn.form
    if form is m.STORE_X:
        return insn.srcs[1:]
    if form is m.FETCH:
        return insn.srcs[:1]
    if form is m.CMPXCHG:
        return insn.srcs[::2]
    if form is m.CALL:
        return insn.srcs if type(insn.ref) is Symbol or insn.imm in _DYNPTR_HELPERS else ()
    return insn.srcs if form.name == "asm" or form is m.EXIT else ()
