"""Liveness: for each block, the virtual registers that are live at its end, as a bit mask (bit v for register v).

An edge's arguments are live at the end of its source. Recipes are computed where they are wanted and are never live.
"""

from __future__ import annotations

from pybpf.compiler.codegen.machine import FIRST_VREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MBlock, MFunction

__all__ = ["bits", "live_masks", "read_before_written"]


def live_masks(fn: MFunction) -> tuple[list[int], list[int]]:
    """(live in, live out) of every block, by block number; a block's parameters are not live in."""
    kept = (1 << fn.vregs) - (1 << FIRST_VREG)
    for v in fn.recipes:
        kept &= ~(1 << v)
    used, defined, passed = [], [], []
    for block in fn.blocks:
        live = dead = 0
        for insn in reversed(block.insns):
            if insn.dst >= 0:
                bit = 1 << insn.dst
                live &= ~bit
                dead |= bit
            for v in insn.srcs:
                live |= 1 << v
        for v in block.params:
            live &= ~(1 << v)
            dead |= 1 << v
        args = 0
        for values in block.args:
            for v in values:
                args |= 1 << v
        args &= kept
        used.append(live & kept | args & ~dead)
        defined.append(dead)
        passed.append(args)
    live_in = used
    live_out = passed
    changed = True
    while changed:
        changed = False
        for block in reversed(fn.blocks):
            n = block.number
            out = passed[n]
            for target in block.succs:
                out |= live_in[target.number]
            if out != live_out[n]:
                live_out[n] = out
                grown = live_in[n] | out & ~defined[n]
                if grown != live_in[n]:
                    live_in[n] = grown
                    changed = True
    return live_in, live_out


def read_before_written(fn: MFunction, reads: dict[MBlock, int], kept: dict[MBlock, int]) -> dict[MBlock, int]:
    """Bit masks of registers or slots that are read before they are written, from the start of each block on.

    `reads` says which of them each block does so itself, `kept` which ones it leaves as they are.
    """
    found = dict(reads)
    changed = True
    while changed:
        changed = False
        for block in reversed(fn.blocks):
            after = 0
            for target in block.succs:
                after |= found[target]
            now = reads[block] | after & kept[block]
            if now != found[block]:
                found[block] = now
                changed = True
    return found


def bits(mask: int) -> list[int]:
    """Numbers of the bits that are set, ascending."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
