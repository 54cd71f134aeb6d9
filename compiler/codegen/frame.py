"""The stack frame: stack slots and spill slots in, their offsets from R10 out, or what takes too much room.

The frame grows down from R10 (offsets are negative); the kernel gives a program 512 bytes for a whole chain of calls
(kernel/bpf/verifier.c, MAX_BPF_STACK). Spill slots are 8 bytes, aligned, so that the verifier keeps track of what is
in them.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.codegen.machine import MFunction
    from pybpf.compiler.ir.function import Slot

__all__ = ["MAX_STACK", "Frame", "StackOverflow", "lay_out_frame"]

MAX_STACK = 512


class Frame(Record, eq=False):
    """`slots` and `spills` (by number) map to offsets from R10; `size` is in bytes, a multiple of 8."""

    slots: dict[Slot, int]
    spills: dict[int, int]
    size: int


class StackOverflow(Exception):
    """A function's frame alone is over the kernel's limit. `parts` are (what, bytes), the largest first."""

    def __init__(self, function: str, size: int, parts: list[tuple[str, int]]) -> None:
        self.function = function
        self.size = size
        self.parts = parts
        taken = ", ".join(f"{name} {count}" for name, count in parts)
        super().__init__(f"{function} needs {size} bytes of stack, the limit is {MAX_STACK}: {taken}")


def lay_out_frame(fn: MFunction, groups: list[list[Slot]] | None = None) -> Frame:
    """The slots of a group (all those of the function; one each, unless told) lie on the same bytes.

    Raises StackOverflow if the frame is larger than 512 bytes.
    """
    slots: dict[Slot, int] = {}
    used = 0
    # Largest alignment first, so that only the end of a slot needs padding.
    placed = [(max([s.align for s in group]), group) for group in groups or [[slot] for slot in fn.slots]]
    largest = [max(group, key=_size) for _, group in placed]
    for align, group in sorted(placed, key=lambda each: -each[0]):
        used = (used + max(map(_size, group)) + align - 1) // align * align
        slots.update(dict.fromkeys(group, -used))
    used = (used + 7) // 8 * 8
    spills = {}
    for number in range(max(fn.spills.values(), default=-1) + 1):
        used += 8
        spills[number] = -used
    if used > MAX_STACK:
        parts = [(slot.name or "a temporary", slot.size) for slot in largest]
        if spills:
            parts.append(("values that did not fit into registers", 8 * len(spills)))
        raise StackOverflow(fn.name, used, sorted(parts, key=lambda part: -part[1]))
    return Frame(slots, spills, used)


def _size(slot: Slot) -> int:
    return slot.size
