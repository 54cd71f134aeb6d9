"""Stack slots that are never wanted at once: a function before allocation in, slots that may lie on the same bytes out.

    u8 [r10 first +0] = 0              first                        r10 -8
    call helper#26(..., &first, ...)   proto, key: their last       r10 -16, both
    u8 [r10 proto +0] = 0              and first uses are apart
    ...
    u32 [r10 key +0] = 7

A slot is live from where it may have been written first to where it may be read last. What reads or writes it is a load
or store by R10, or a helper that is given its address. Slots whose address goes anywhere else (into memory, through a
phi, to a function of the kernel, which may keep it) share with none, nor do dynptrs: writing over one ends the life of
what was got from it.
"""

from __future__ import annotations

from pybpf.compiler.codegen.machine import CALL, FRAME, LOAD, STORE_K, STORE_X, Symbol
from pybpf.compiler.ir.function import Slot
from pybpf.compiler.isa import opcodes as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MBlock, MFunction

__all__ = ["colour_slots"]

DYNPTRS = range(197, 204)  # helpers: bpf_dynptr_from_mem to bpf_dynptr_data
SIZES = {op.W: 4, op.H: 2, op.B: 1, op.DW: 8}


def colour_slots(fn: MFunction) -> list[list[Slot]]:
    """The function's slots in groups, each of which takes the place of its largest member."""
    return _Colouring(fn).run() if len(fn.slots) > 1 else [[slot] for slot in fn.slots]


class _Colouring:
    """Slots are bits of masks, in the order of `fn.slots`."""

    def __init__(self, fn: MFunction) -> None:
        self.fn = fn
        self.bits = {slot: 1 << n for n, slot in enumerate(fn.slots)}
        self.addresses = {v: self.bits[r.ref] for v, r in fn.recipes.items() if r.form is FRAME}  # type: ignore[index]
        self.apart = [0] * len(fn.slots)  # for each slot, those that it must not share with
        self.exposed = 0

    def run(self) -> list[list[Slot]]:
        blocks = self.fn.blocks
        accesses = [self._accesses(block) for block in blocks]
        touched = self._touched(accesses)
        live_in = self._live_in(accesses)
        for block in blocks:
            n = block.number
            self._separate(live_in[n] & touched[n])
            here = touched[n]
            sofar = [here := here | mask for mask, _ in accesses[n]]
            live = 0
            for target in block.succs:
                live |= live_in[target.number]
            for (mask, killed), seen in zip(reversed(accesses[n]), reversed(sofar), strict=True):
                self._separate(live & seen | mask)
                live = live & ~killed | mask & ~killed
        return self._groups()

    def _accesses(self, block: MBlock) -> list[tuple[int, int]]:
        """What each instruction reads or writes, and what of it is overwritten as a whole; notes what is exposed."""
        found = []
        for insn in block.insns:
            mask = killed = 0
            if type(insn.ref) is Slot and insn.form is not FRAME:
                mask = self.bits[insn.ref]
                if insn.form is STORE_K or insn.form is STORE_X:
                    if insn.off == 0 and SIZES[insn.op & 0x18] == insn.ref.size and insn.op & 0xE0 == op.MEM:
                        killed = mask
                elif insn.form is not LOAD:
                    self.exposed |= mask
            for v in insn.srcs:
                bit = self.addresses.get(v, 0)
                if bit and insn.form is CALL and type(insn.ref) is not Symbol and insn.imm not in DYNPTRS:
                    mask |= bit
                elif bit:
                    self.exposed |= bit
            if mask:
                found.append((mask, killed))
        for args in block.args:
            for v in args:
                self.exposed |= self.addresses.get(v, 0)
        return found

    def _touched(self, accesses: list[list[tuple[int, int]]]) -> list[int]:
        """What may have been read or written before each block."""
        found = [0] * len(accesses)
        changed = True
        while changed:
            changed = False
            for block in self.fn.blocks:
                behind = found[block.number]
                for mask, _ in accesses[block.number]:
                    behind |= mask
                for target in block.succs:
                    if behind & ~found[target.number]:
                        found[target.number] |= behind
                        changed = True
        return found

    def _live_in(self, accesses: list[list[tuple[int, int]]]) -> list[int]:
        """What may be read before it is overwritten, from the start of each block on."""
        found = [0] * len(accesses)
        changed = True
        while changed:
            changed = False
            for block in reversed(self.fn.blocks):
                live = 0
                for target in block.succs:
                    live |= found[target.number]
                for mask, killed in reversed(accesses[block.number]):
                    live = live & ~killed | mask & ~killed
                if live != found[block.number]:
                    found[block.number] = live
                    changed = True
        return found

    def _separate(self, together: int) -> None:
        if together & together - 1:
            for n in range(len(self.apart)):
                if together >> n & 1:
                    self.apart[n] |= together

    def _groups(self) -> list[list[Slot]]:
        groups: list[tuple[list[Slot], int, int]] = []  # slots, their mask, what they must not share with
        for slot in sorted(self.fn.slots, key=lambda slot: -slot.size):
            bit = self.bits[slot]
            apart = self.apart[bit.bit_length() - 1]
            for n, (members, mask, theirs) in enumerate(groups):
                if not (bit | mask) & self.exposed and not apart & mask and not theirs & bit:
                    groups[n] = [*members, slot], mask | bit, theirs | apart
                    break
            else:
                groups.append(([slot], bit, apart))
        return [members for members, _, _ in groups]
