"""Jumps over more than 32767 slots, which a 16-bit offset can't say: lines in, lines with all jumps in reach out.

ISA level 4 has `gotol` with a 32-bit distance, for unconditional jumps. All other far jumps go to a relay: a jump on
its own between two lines, near enough to jump to, which goes on to the target (or to the next relay). Code that would
run into a relay jumps over it.
"""

from __future__ import annotations

from pybpf.compiler.codegen.layout import Line, slots_of
from pybpf.compiler.codegen.machine import JUMP, MBlock, MInsn
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MFunction

__all__ = ["bring_into_reach"]

REACH = 0x7FFF
NEAR = REACH - 2048  # leaves room for relays that are put in between later
CHUNK = 4096  # slots between places where a relay may stand


def bring_into_reach(fn: MFunction, lines: list[Line]) -> list[Line]:
    """The same lines, unless the function has more slots than a jump reaches."""
    if sum(slots_of(insn) for line in lines for insn in line.insns) <= REACH:
        return lines
    lines = [part for line in lines for part in _chunks(line)]
    while _one_round(fn, lines):
        pass
    return lines


def _chunks(line: Line) -> list[Line]:
    """A line cut into pieces of at most CHUNK instructions."""
    insns = line.insns
    if len(insns) <= CHUNK:
        return [line]
    found = []
    for start in range(0, len(insns), CHUNK):
        jumps = {index - start: target for index, target in line.jumps.items() if start <= index < start + CHUNK}
        block = line.block if not start else MBlock(f"{line.block.label}+{start}")
        found.append(Line(block, insns[start : start + CHUNK], jumps))
    return found


def _one_round(fn: MFunction, lines: list[Line]) -> bool:
    """Mend the far jumps of a layout, in place; True if lines were put in, so that distances have changed."""
    begins = []
    at = 0
    for line in lines:
        begins.append(at)
        at += sum(map(slots_of, line.insns))
    starts = {line.block: start for line, start in zip(lines, begins, strict=True)}
    relays: dict[int, list[Line]] = {}
    for line, begin in zip(lines, begins, strict=True):
        at = begin
        for index, insn in enumerate(line.insns):
            at += slots_of(insn)
            target = line.jumps.get(index)
            if target is None or insn.op == op.GOTOL or -REACH <= starts[target] - at <= REACH:
                continue
            if insn.form is JUMP and fn.level >= 4:
                line.insns[index] = MInsn(JUMP, op.GOTOL, span=insn.span, origin=insn.origin)
                continue
            where = _boundary(begins, at, starts[target])
            relay = MBlock(f"{line.block.label}.to.{target.label}")
            relays.setdefault(where, []).append(Line(relay, [MInsn(JUMP, op.GOTO, span=insn.span)], {0: target}))
            line.jumps[index] = relay
    for where in sorted(relays, reverse=True):
        before = lines[where - 1]
        last = before.insns[-1] if before.insns else None
        if last is None or not last.form.ends_block or (last.form is not JUMP and before.jumps):
            before.insns.append(MInsn(JUMP, op.GOTO, span=last.span if last else None))
            before.jumps[len(before.insns) - 1] = lines[where].block
        lines[where:where] = relays[where]
    return bool(relays)


def _boundary(begins: list[int], at: int, target: int) -> int:
    """Index of the line, farthest on the way to the target but near, before which a relay can stand."""
    if target > at:
        return max(index for index, begin in enumerate(begins) if begin <= at + NEAR)
    return min(index for index, begin in enumerate(begins) if begin >= at - NEAR and index)
