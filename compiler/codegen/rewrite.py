"""Allocated parts of intervals in, the function over physical registers out.

Operands become registers; where a virtual register changes its place, moves are put in: in the gap where its life was
split, on edges between blocks where the two ends disagree or phis pass values, in front of calls and tied
instructions. All moves of one point happen at once, and are put in sequence by moves.py. An edge's moves stand at the
end of its source if that has no other successor, at the start of its target if that has no other predecessor and no
parameters, else in a block of their own.

A value that goes to memory is stored where it leaves its register: the verifier then knows of the slot what branches
have shown of the register. Only if that would be in a loop that the value was computed before, it is stored where it
is computed, as is one that has its home in memory (homes.py).
"""

from __future__ import annotations

from _bisect import bisect_right
from itertools import pairwise

from pybpf.compiler.codegen.machine import ALLOCATABLE, FIRST_VREG, JUMP, RELOAD, SPILL, MBlock, MFunction, MInsn, copy
from pybpf.compiler.codegen.moves import RECIPE, sequence
from pybpf.compiler.codegen.spillslots import share_slots
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.intervals import Interval, Intervals
    from pybpf.compiler.schema.span import Span

__all__ = ["rewrite"]

Moves = list[tuple[int, int]]  # (destination, source), places as in moves.py


def rewrite(fn: MFunction, live: Intervals, parts: dict[int, list[Interval]], live_in: list[int]) -> MFunction:
    """A new function; `fn` stays as it is. Each instruction that comes from one of `fn` has that as its `origin`."""
    return _Rewriter(fn, live, parts, live_in).run()


class _Rewriter:
    def __init__(self, fn: MFunction, live: Intervals, parts: dict[int, list[Interval]], live_in: list[int]) -> None:
        self.fn = fn
        self.live = live
        self.parts = parts
        self.live_in = live_in
        self.arrived: Moves = []
        self.slots: dict[int, int] = {}  # of virtual registers, and of the two that hold what is put aside
        # Virtual registers that stay in one register all their life: the common case, found at once.
        self.home = {
            v: own[0].reg for v, own in parts.items() if len(own) == 1 and not own[0].anew and own[0].reg >= 0
        }

    def run(self) -> MFunction:
        fn = self.fn
        gaps = self._gap_moves()
        edges = self._edge_moves()
        self.arrived = self._arrival_moves()
        at_definition = self._stored_at_definition(gaps, edges)
        all_moves = [self.arrived, *gaps.values(), *edges.values()]
        if at_definition:
            dropped = {~v for v in at_definition}
            for moves in all_moves:
                moves[:] = [m for m in moves if m[0] not in dropped]
        spilled = at_definition | self.live.homes.keys() | {~dst for moves in all_moves for dst, _ in moves if dst < 0}
        if spilled:
            self.slots = share_slots(fn, self.live, self.parts, sorted(spilled))
            for moves in edges.values():
                moves[:] = [m for m in moves if not self._same_slot(*m)]
        made = [MBlock(b.label, number=b.number, depth=b.depth) for b in fn.blocks]
        order = []
        for block, new in zip(fn.blocks, made, strict=True):
            order.append(new)
            self._block(block, new, gaps, at_definition)
            for which, target in enumerate(block.succs):
                landing = made[target.number]
                if edges.get((block.number, which)):
                    landing = self._on_edge(block, new, landing, edges[block.number, which], order)
                new.succs.append(landing)
        allocated = MFunction(fn.name, fn.params, order, fn.recipes, fn.names, fn.slots, fn.vregs, fn.level, self.slots)
        for block in order:
            for target in block.succs:
                target.preds.append(block)
        return allocated

    # ---- places

    def _same_slot(self, dst: int, src: int) -> bool:
        return dst < 0 and src < 0 and self.slots[~dst] == self.slots[~src]

    def _memory(self, v: int) -> int:
        return RECIPE + v if v in self.fn.recipes else ~v

    def _place(self, v: int, at: int) -> int:
        """Where `v` is at position `at`: a register, ~v for its slot, RECIPE + v."""
        home = self.home.get(v)
        if home is not None:
            return home
        anew = v in self.fn.recipes or v in self.live.homes
        found = -1
        for part in self.parts.get(v, ()):
            if part.ranges[0][0] > at:
                break
            found = -1 if anew and part.ranges[-1][1] <= at else part.reg
        return found if found >= 0 else self._memory(v)

    # ---- moves

    def _arrival_moves(self) -> Moves:
        """Of the function's parameters, which come in R1 to R5, to where they begin."""
        return [
            (place, index + 1)
            for index, v in enumerate(self.fn.params)
            if v in self.parts and v not in self.live.homes  # else it is not used, or is stored where it is defined
            for place in [self._place(v, 0)]
            if place != index + 1
        ]

    def _gap_moves(self) -> dict[int, Moves]:
        block_starts = set(self.live.starts)
        found: dict[int, Moves] = {}
        for v, own in self.parts.items():
            if own[0].anew:
                for part in own:
                    at = part.ranges[0][0]
                    if part.reg >= 0 and not at & 3:
                        found.setdefault(at, []).append((part.reg, self._memory(v)))
            elif len(own) > 1:
                for before, after in pairwise(own):
                    at = after.ranges[0][0]
                    if at in block_starts or before.reg == after.reg:
                        continue
                    assert before.ranges[-1][1] == at
                    found.setdefault(at, []).append(
                        (after.reg if after.reg >= 0 else ~v, before.reg if before.reg >= 0 else ~v)
                    )
        return found

    def _edge_moves(self) -> dict[tuple[int, int], Moves]:
        starts, homes = self.live.starts, self.live.homes
        changing = 0
        for v, own in self.parts.items():
            if len(own) > 1 and not own[0].anew:
                changing |= 1 << v
        found: dict[tuple[int, int], Moves] = {}
        for block in self.fn.blocks:
            end = starts[block.number + 1] - 1
            for which, target in enumerate(block.succs):
                start = starts[target.number]
                moves = []
                for param, arg in zip(target.params, block.args[which], strict=True):
                    home = homes.get(param)
                    if home is not None and arg not in home.members:
                        moves.append((~param, self._place(arg, end)))
                    elif home is None and param in self.parts:
                        moves.append((self._place(param, start), self._place(arg, end)))
                through = self.live_in[target.number] & changing
                while through:
                    low = through & -through
                    through ^= low
                    v = low.bit_length() - 1
                    moves.append((self._place(v, start), self._place(v, end)))
                moves = [m for m in moves if m[0] != m[1]]
                if moves:
                    found[block.number, which] = moves
        return found

    def _stored_at_definition(self, gaps: dict[int, Moves], edges: dict[tuple[int, int], Moves]) -> set[int]:
        """Virtual registers that are stored in a deeper loop than they are defined in, or have a home."""
        fn = self.fn
        deepest: dict[int, int] = {}
        for at, moves in gaps.items():
            for dst, _ in moves:
                if dst < 0:
                    depth = fn.blocks[self._block_of(at)].depth
                    deepest[~dst] = max(deepest.get(~dst, 0), depth)
        for (number, which), moves in edges.items():
            block = fn.blocks[number]
            for dst, _ in moves:
                if dst < 0:
                    depth = min(block.depth, block.succs[which].depth)
                    deepest[~dst] = max(deepest.get(~dst, 0), depth)
        homes = self.live.homes
        phis = {v for block in fn.blocks for v in block.params} if deepest or homes else set()
        found = homes.keys() - phis
        for v, depth in deepest.items():
            if not depth or v in phis or v in homes:
                continue
            if depth > fn.blocks[self._block_of(self.parts[v][0].ranges[0][0])].depth:
                found.add(v)
        return found

    def _block_of(self, at: int) -> int:
        return bisect_right(self.live.starts, at) - 1

    def _on_edge(self, block: MBlock, new: MBlock, landing: MBlock, moves: Moves, order: list[MBlock]) -> MBlock:
        """Put an edge's moves where they belong; returns the block that `new` goes on to."""
        starts = self.live.starts
        end = starts[block.number + 1] - 1
        span = block.insns[-1].span
        target = self.fn.blocks[landing.number]
        code = self._sequence(moves, span, end)
        if len(block.succs) == 1:
            new.insns[-1:-1] = code
            return landing
        if len(target.preds) == 1 and not target.params:
            landing.insns[:0] = code
            return landing
        between = MBlock(f"{block.label}.{landing.label}", depth=min(block.depth, target.depth))
        between.insns = [*code, MInsn(JUMP, op.GOTO, span=span)]
        between.succs = [landing]
        order.append(between)
        return between

    def _sequence(self, moves: Moves, span: Span | None, before: int) -> list[MInsn]:
        """`before` is a position in front of the moves; at the entry, behind them: parameters that stay count there."""
        return [self._move(dst, src, span) for dst, src in sequence(moves, _Free(self, before))]

    def _move(self, dst: int, src: int, span: Span | None) -> MInsn:
        if dst < 0:
            return MInsn(SPILL, 0, -1, (src,), imm=self.slots[~dst], vreg=~dst, span=span)
        if src < 0:
            return MInsn(RELOAD, 0, dst, (), imm=self.slots[~src], vreg=~src, span=span)
        if src >= RECIPE:
            recipe = self.fn.recipes[src - RECIPE]
            return MInsn(recipe.form, recipe.op, dst, (), 0, recipe.imm, recipe.ref, span, src - RECIPE)
        return copy(dst, src, span=span)

    # ---- instructions

    def _block(self, block: MBlock, new: MBlock, gaps: dict[int, Moves], at_definition: set[int]) -> None:
        out = new.insns
        at = self.live.starts[block.number]
        for v in block.params:
            if v in self.parts or v in self.live.homes:
                where = ~v if v in self.live.homes else self._place(v, at)
                new.arrivals.append((where if where >= 0 else ~self.slots[v], v))
        if block.number == 0:
            out += [self._move(~v, i + 1, None) for i, v in enumerate(self.fn.params) if v in at_definition]
            out += self._sequence(self.arrived, block.insns[0].span, at)
        place = self._place
        for insn in block.insns:
            moves = gaps.get(at)
            if moves:
                out += self._sequence(moves, insn.span, at - 1)
            form = insn.form
            if form.fixed:
                srcs = self._fixed(insn, at, moves or [], out)
            else:
                srcs = tuple([place(v, at) if v >= FIRST_VREG else v for v in insn.srcs])
            dst = insn.dst
            if dst >= 0:
                if form.tied:
                    reg = place(dst, at + 1)
                    if srcs[0] != reg:
                        out.append(self._move(reg, srcs[0], insn.span))
                    srcs = (reg, *srcs[1:])
                elif form.result >= 0:
                    reg = form.result
                else:
                    reg = place(dst, at + 3)
            else:
                reg = -1
            out.append(MInsn(form, insn.op, reg, srcs, insn.off, insn.imm, insn.ref, insn.span, dst, insn))
            if form.result >= 0 and dst >= 0 and place(dst, at + 3) != reg:
                out.append(copy(place(dst, at + 3), reg, dst, insn.span))
            if dst in at_definition:
                out.append(self._move(~dst, reg, insn.span))
            at += 4

    def _fixed(self, insn: MInsn, at: int, gap: Moves, out: list[MInsn]) -> tuple[int, ...]:
        """Copy the sources that are passed in certain registers there; the registers of all sources.

        A value that has just left its register for memory is still in that register.
        """
        fixed = insn.form.fixed
        left = {dst: src for dst, src in gap if dst < 0 <= src < RECIPE and all(src != other for other, _ in gap)}
        srcs = []
        moves = []
        for index, v in enumerate(insn.srcs):
            source = self._place(v, at) if v >= FIRST_VREG else v
            source = left.get(source, source)
            if fixed[index] >= 0:
                if source != fixed[index]:
                    moves.append((fixed[index], source))
                source = fixed[index]
            srcs.append(source)
        out += self._sequence(moves, insn.span, at)
        return tuple(srcs)


class _Free:
    """Scratch places at one point of the code, for sequence()."""

    def __init__(self, rewriter: _Rewriter, before: int) -> None:
        self.rewriter = rewriter
        self.before = before

    def register(self, taken: set[int]) -> int:
        used = set(taken)
        for own in self.rewriter.parts.values():
            for part in own:
                if part.reg >= 0 and any(start <= self.before < end for start, end in part.ranges):
                    used.add(part.reg)
        return next((reg for reg in range(ALLOCATABLE) if reg not in used), -1)

    def slot(self, which: int) -> int:
        v = self.rewriter.fn.vregs + which
        slots = self.rewriter.slots
        if v not in slots:
            slots[v] = max(slots.values(), default=-1) + 1
        return ~v
