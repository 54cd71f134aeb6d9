"""What is known at one point of the machine code: of registers, spilled words, and the program's stack slots.

Sets of virtual registers are bit masks: bit v for register v, bit 10 for R10. The bytes of all stack slots are
numbered; `right` and `fresh` are masks of these numbers. A byte is *right* where it may be read: on every way here it
holds what the original wrote there last, or the original has never written it on that way. It is *fresh* where the
original has written it on no way here. What writes to one slot makes the bytes of others that lie on the same place
wrong, unless they are fresh.
"""

from __future__ import annotations

from pybpf.compiler.codegen.machine import FRAME_POINTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from pybpf.compiler.codegen.frame import Frame
    from pybpf.compiler.ir.function import Slot

__all__ = ["Objects", "State"]

REGISTERS = 11


class Objects:
    """Numbers of the stack slots' bytes, and which of them lie where."""

    def __init__(self, frame: Frame) -> None:
        self.offsets = frame.slots
        self.whole: dict[Slot, int] = {}  # the bytes of each slot
        self._first: dict[Slot, int] = {}
        self._lying: dict[int, int] = {}  # offset from R10 -> the bytes that lie there
        count = 0
        for slot, offset in frame.slots.items():
            self._first[slot] = count
            self.whole[slot] = (1 << slot.size) - 1 << count
            for byte in range(slot.size):
                self._lying[offset + byte] = self._lying.get(offset + byte, 0) | 1 << count + byte
            count += slot.size
        self.count = count

    def part(self, slot: Slot, start: int, size: int) -> int:
        """`size` bytes of a slot."""
        return (1 << size) - 1 << self._first[slot] + start

    def under(self, start: int, size: int) -> int:
        """All bytes of slots that lie on `size` bytes from R10 + start."""
        found = 0
        for offset in range(start, start + size):
            found |= self._lying.get(offset, 0)
        return found

    def all_of(self, slots: Iterable[Slot]) -> int:
        """The bytes of some slots."""
        found = 0
        for slot in slots:
            found |= self.whole[slot]
        return found


class State:
    """`registers[r]` and `words[offset from R10]`: the virtual registers whose value is there. `equal[key]`: those that
    have the value of a recipe with this key now, such as a phi that is passed a constant."""

    __slots__ = ("equal", "fresh", "registers", "right", "words")

    def __init__(
        self, registers: list[int], words: dict[int, int], equal: dict[object, int], right: int, fresh: int
    ) -> None:
        self.registers = registers
        self.words = words
        self.equal = equal
        self.right = right
        self.fresh = fresh

    @classmethod
    def at_entry(cls, objects: Objects) -> State:
        """Before the first instruction, without parameters."""
        every = (1 << objects.count) - 1
        return cls([0] * FRAME_POINTER + [1 << FRAME_POINTER], {}, {}, every, every)

    def copy(self) -> State:
        return State(self.registers[:], dict(self.words), dict(self.equal), self.right, self.fresh)

    def meet(self, other: State) -> bool:
        """Keep what `other` knows too; whether anything was lost."""
        changed = False
        for reg in range(REGISTERS):
            mask = self.registers[reg]
            if mask & ~other.registers[reg]:
                self.registers[reg] = mask & other.registers[reg]
                changed = True
        changed |= _meet(self.words, other.words)
        changed |= _meet(self.equal, other.equal)
        if self.right & ~other.right or self.fresh & ~other.fresh:
            self.right &= other.right
            self.fresh &= other.fresh
            changed = True
        return changed

    # ---- values

    def define(self, reg: int, v: int) -> None:
        """The original computes `v` anew: only `reg` has that, and nothing else."""
        self._drop(1 << v)
        self.registers[reg] = 1 << v

    def pass_values(self, pairs: list[tuple[int, int]], keys: Mapping[int, object]) -> None:
        """All at once, each first of a pair gets the value of its second; what held a first's old value does not.

        `keys` are those of recipes.
        """
        if not pairs:
            return
        gone = 0
        for v, _ in pairs:
            gone |= 1 << v
        registers = self.registers
        for reg in range(REGISTERS):
            if registers[reg]:
                registers[reg] = _passed(registers[reg], gone, pairs)
        for masks in (self.words, self.equal):
            for place, mask in masks.items():
                masks[place] = _passed(mask, gone, pairs)  # type: ignore[index]
        for v, source in pairs:
            if source in keys:
                self.equal[keys[source]] = self.equal.get(keys[source], 0) | 1 << v

    def _drop(self, gone: int) -> None:
        registers = self.registers
        for reg in range(REGISTERS):
            if registers[reg] & gone:
                registers[reg] &= ~gone
        for masks in (self.words, self.equal):
            for place, mask in masks.items():
                if mask & gone:
                    masks[place] = mask & ~gone  # type: ignore[index]

    # ---- the stack

    def write(self, objects: Objects, start: int, size: int, own: int, exposed: int, certain: bool = True) -> bool:
        """`size` bytes from R10 + start are written as `own`, bytes of slots (0: a spilled word).

        False if bytes of another slot lie there whose address is anywhere.
        """
        others = objects.under(start, size) & ~own
        self.right &= ~others | self.fresh
        self.fresh &= ~own
        if certain:
            self.right |= own
        if self.words:
            for offset in [at for at in self.words if at < start + size and start < at + 8]:
                del self.words[offset]
        return not others & exposed


def _meet(mine: dict[Any, int], other: Mapping[Any, int]) -> bool:
    changed = False
    for place, mask in list(mine.items()):
        both = mask & other.get(place, 0)
        if both != mask:
            changed = True
            if both:
                mine[place] = both
            else:
                del mine[place]
    return changed


def _passed(held: int, gone: int, pairs: list[tuple[int, int]]) -> int:
    got = 0
    for v, source in pairs:
        if held >> source & 1:
            got |= 1 << v
    return held & ~gone | got
