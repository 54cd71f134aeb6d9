"""What follows the NUL of a text is zero wherever the program keeps it, so that equal texts are equal keys.

Memory that others wrote (packets, ring-buffer records filled by a helper, kernel structs) may hold anything there. So
after a copy from such memory the rest of every text in it is cleared.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild.memory import Address, each, field_at, further
from pybpf.compiler.schema.types import ArrayType, Space, StructType, TextType, Type, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.irbuild.ssa import Cell

__all__ = ["clear_tails", "is_tidy"]

_TIDY = (Space.STACK, Space.MAP, Space.PERCPU, Space.GLOBAL, Space.CONST)
_STRAIGHT = 8  # texts up to this size are treated byte after byte, longer ones in a loop


def is_tidy(space: str) -> bool:
    """Whether only programs and the runtime's encoder write texts there."""
    return space in _TIDY


def clear_tails(b: Builder, at: Address, kind: Type) -> None:
    """Clear what follows the NUL of each text in the `kind` at an address."""
    for offset, size in _texts(kind, 0):
        # -1 until a NUL was seen, then 0
        keep = b.new_cell("text")
        b.write((keep,), Const(-1))
        place = field_at(at, offset)
        if size <= _STRAIGHT:
            for i in range(size):
                _one(b, keep, place.base, place.offset + i)
        else:
            _loop(b, keep, place, size)


def _loop(b: Builder, keep: Cell, place: Address, size: int) -> None:
    def step(index: Value) -> None:
        _one(b, keep, further(b, place.base, index), place.offset)

    each(b, size, 1, step)


def _one(b: Builder, keep: Cell, base: Value, offset: int) -> None:
    byte = b.load(base, offset, 8)
    is_nul = _alu(b, "ashr", _alu(b, "sub", byte, Const(1)), Const(63))  # -1 for 0
    kept = _alu(b, "and", b.read_one(keep), _alu(b, "xor", is_nul, Const(-1)))
    b.write((keep,), kept)
    b.store(base, offset, 8, _alu(b, "and", byte, kept))


def _alu(b: Builder, op: str, lhs: Value, rhs: Value) -> Value:
    return b.emit(ops.Binary(op, lhs, rhs, 64, "", b.span))


def _texts(kind: Type, offset: int) -> Iterator[tuple[int, int]]:
    """(offset, size) of each text inside."""
    if isinstance(kind, TextType):
        yield offset, kind.size
    elif isinstance(kind, StructType):
        for field in kind.fields:
            yield from _texts(field.type, offset + field.offset)
    elif isinstance(kind, ArrayType):
        step = size_of(kind.element)
        for i in range(kind.length):
            yield from _texts(kind.element, offset + i * step)
