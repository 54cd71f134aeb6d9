"""Live intervals: where each virtual register is live and used, in the order of blocks and instructions.

Instruction number i (counted over the whole function) has four positions:

    4i      the gap before it, where the allocator's moves go
    4i + 1  operands of tied and fixed sources have been copied to where they must be; an early result is written
    4i + 2  the other sources have been read
    4i + 3  the result is there

A range [start, end) is half open. So a plain result may take the register of any source that dies here, a tied one
that of its first source, but of no other. A call destroys registers at 4i + 1. A block's parameters start with the
block.
"""

from __future__ import annotations

from _bisect import bisect_right

from pybpf.compiler.codegen.liveness import bits
from pybpf.compiler.codegen.machine import ALU_X, CALLER_SAVED, FIRST_VREG, MOV_X
from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.homes import Home
    from pybpf.compiler.codegen.machine import MFunction, MInsn

__all__ = ["Interval", "Intervals", "build"]

COMMUTATIVE = frozenset(
    kind | code | op.X for kind in (op.ALU, op.ALU64) for code in (op.ADD, op.MUL, op.AND, op.OR, op.XOR)
)


class Interval(Record, eq=False):
    """Part of a virtual register's life: ascending ranges, and uses as (position, whether it must be in a register).

    `reg` is the register assigned; -1 for none: the value is in its spill slot, or is recomputed by its recipe. `anew`:
    at its start a recipe computes the value, or a load gets it from its home, unless it is defined there.
    """

    vreg: int
    ranges: list[tuple[int, int]]
    uses: list[tuple[int, bool]]
    reg: int = -1
    anew: bool = False

    @property
    def start(self) -> int:
        return self.ranges[0][0]

    @property
    def end(self) -> int:
        return self.ranges[-1][1]

    def __repr__(self) -> str:
        return f"%{self.vreg}{self.ranges}@{self.reg}"


class Intervals(Record, eq=False):
    """What allocation works on.

    `all` has one interval for each virtual register, but one for each run of uses of what is computed anew (a recipe's
    value) or loaded anew (one of `homes`, see homes.py) wherever it is wanted.

    `starts[b]` is the position of block b's start (one more at the end). `clobbers` are (position, mask of
    registers), ascending. `hints[v]` is the register that v's users want it in; `related[v]` are virtual registers
    that would best share v's. `kept` are those that end in a copy to one that outlives a call: they had better be in
    a register that calls leave alone.
    """

    all: list[Interval]
    starts: list[int]
    depths: list[int]
    clobbers: list[tuple[int, int]]
    hints: dict[int, int] = factory(dict)
    related: dict[int, list[int]] = factory(dict)
    kept: set[int] = factory(set)
    homes: dict[int, Home] = factory(dict)


def build(fn: MFunction, live_out: list[int], homes: dict[int, Home] | None = None) -> Intervals:
    """The intervals of a function, by a walk from its end. Commutative operands change places if the second dies."""
    return _Builder(fn, homes or {}).run(live_out)


class _Builder:
    def __init__(self, fn: MFunction, homes: dict[int, Home]) -> None:
        self.fn = fn
        self.homes = homes
        self.anew = fn.recipes.keys() | homes.keys() if homes else fn.recipes  # not held between uses
        self.held = -1
        for v in homes:
            self.held &= ~(1 << v)
        self.ranges: dict[int, list[tuple[int, int]]] = {}  # descending while building
        self.uses: dict[int, list[tuple[int, bool]]] = {}
        self.anew_uses: dict[int, list[int]] = {}
        self.clobbers: list[tuple[int, int]] = []
        self.hints: dict[int, int] = {}
        self.related: dict[int, list[int]] = {}
        self.copies: list[tuple[int, int]] = []  # (destination, source that ends there), from the end

    def run(self, live_out: list[int]) -> Intervals:
        fn = self.fn
        starts = [0]
        for block in fn.blocks:
            starts.append(starts[-1] + 4 * len(block.insns))
        for block in reversed(fn.blocks):
            start, end = starts[block.number], starts[block.number + 1]
            self._edges(block.number, end)
            self._block(block.insns, start, end, live_out[block.number] & self.held)
        for index, v in enumerate(fn.params):
            if v >= 0 and v in self.ranges:
                self.hints.setdefault(v, index + 1)
        self.clobbers.reverse()
        found = []
        for v, ranges in self.ranges.items():
            ranges.reverse()
            uses = self.uses.get(v, [])
            uses.reverse()
            found.append(Interval(v, ranges, uses))
        found += self._anew_intervals(starts)
        depths = [block.depth for block in fn.blocks]
        return Intervals(found, starts, depths, self.clobbers, self.hints, self.related, self._kept(), self.homes)

    def _kept(self) -> set[int]:
        """Sources of copies, and of copies of copies, whose destination is live across a call."""
        calls = [at for at, mask in self.clobbers if mask == CALLER_SAVED]
        found: set[int] = set()
        if not calls:
            return found
        for dst, src in self.copies:
            if src not in found and (
                dst in found
                or any(
                    bisect_right(calls, start) < bisect_right(calls, end - 1) for start, end in self.ranges.get(dst, ())
                )
            ):
                found.add(src)
        return found

    def _edges(self, number: int, end: int) -> None:
        block = self.fn.blocks[number]
        for target, args in zip(block.succs, block.args, strict=True):
            for param, arg in zip(target.params, args, strict=True):
                if arg >= FIRST_VREG and arg not in self.anew:
                    self.uses.setdefault(arg, []).append((end - 1, False))
                    self._relate(param, arg)
                    self._relate(arg, param)
                    self.copies.append((param, arg))
                    if param in self.hints:
                        self.hints.setdefault(arg, self.hints[param])

    def _relate(self, a: int, b: int) -> None:
        self.related.setdefault(a, []).append(b)

    def _block(self, insns: list[MInsn], start: int, end: int, live: int) -> None:
        """Ranges and uses of one block, at the end of which `live` is live."""
        for v in bits(live):
            self._extend(v, start, end)
        anew, ranges, uses = self.anew, self.ranges, self.uses
        at = end
        for insn in reversed(insns):
            at -= 4
            form = insn.form
            if form.clobbers:
                self.clobbers.append((at + 1, form.clobbers))
            dst = insn.dst
            if dst >= 0:
                born = at + 1 if form.tied or form.early else at + 3
                if dst in self.homes:
                    self.anew_uses.setdefault(dst, []).append(born)
                elif live >> dst & 1:
                    live ^= 1 << dst
                    mine = ranges[dst]
                    mine[-1] = (born, mine[-1][1])
                else:
                    self._extend(dst, born, at + 4)
                if dst not in anew:
                    uses.setdefault(dst, []).append((born, True))
                if form.result >= 0:
                    self.hints.setdefault(dst, form.result)
            srcs = insn.srcs
            if not srcs:
                continue
            if form.tied:
                if form is ALU_X and insn.op in COMMUTATIVE and not self.homes:  # once: an allocation relies on it
                    first, second = srcs
                    if second not in anew and (first in anew or live >> first & 1) and not live >> second & 1:
                        insn.srcs = srcs = (second, first)
                self._tie(dst, srcs[0], live)
            elif form is MOV_X:
                self._tie(dst, srcs[0], live)
            for index in range(len(srcs) - 1, -1, -1):
                v = srcs[index]
                if v < FIRST_VREG:
                    continue
                fixed = form.fixed[index] if form.fixed else -1
                copied = fixed >= 0 or (index == 0 and form.tied)
                if v in anew:
                    if not copied:
                        self.anew_uses.setdefault(v, []).append(at)
                    continue
                if not live >> v & 1:
                    live |= 1 << v
                    self._extend(v, start, at + 1 if copied or (form is ALU_X and v == srcs[0]) else at + 2)
                    if fixed >= 0:
                        self.hints[v] = fixed
                uses.setdefault(v, []).append((at, fixed < 0))

    def _tie(self, dst: int, src: int, live: int) -> None:
        """`dst` would best be where `src` is; and if that dies here, what is wanted of `dst` holds for it."""
        if src >= FIRST_VREG and not live >> src & 1 and src not in self.anew:
            self._relate(dst, src)
            self.copies.append((dst, src))
            if dst in self.hints:
                self.hints.setdefault(src, self.hints[dst])

    def _extend(self, v: int, start: int, end: int) -> None:
        ranges = self.ranges.setdefault(v, [])
        if ranges and ranges[-1][0] <= end:
            last = ranges[-1]
            ranges[-1] = (start if start < last[0] else last[0], end if end > last[1] else last[1])
        else:
            ranges.append((start, end))

    def _anew_intervals(self, starts: list[int]) -> list[Interval]:
        """One interval for each run of uses in registers that no call, no block boundary and no definition cuts."""
        found = []
        cuts = sorted({*starts, *(at - 1 for at, _ in self.clobbers)})
        for v, uses in self.anew_uses.items():
            run: list[int] = []
            for at in reversed(uses):
                if run and bisect_right(cuts, run[-1]) != bisect_right(cuts, at):
                    found.append(_anew_interval(v, run))
                    run = []
                run.append(at)
            found.append(_anew_interval(v, run))
        return found


def _anew_interval(v: int, uses: list[int]) -> Interval:
    """`uses` are gaps, and where the value is defined."""
    last = uses[-1]
    end = last + 4 & ~3 if last & 3 else last + 2
    return Interval(v, [(uses[0], end)], [(at, True) for at in uses], anew=True)
