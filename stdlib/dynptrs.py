"""Dynptrs: memory whose size, or place, is known only when the program runs.

    d = Dynptr.from_skb(ctx)                   # a packet, all of it, also what is not in one piece
    header = d.slice(Header, offset)           # None where the packet ends before
    d.write(header, offset)

    with events.reserve(16 + length) as d:     # a record of any size, of a RingBuffer[bytes]
        d.write(header)
        d.write(payload, 16, length)

A dynptr is not a value: variables refer to its 16 bytes on the program's stack, and nothing else can hold it.
`d = Dynptr()` is one that a helper or a kernel function then makes: `helpers.bpf_dynptr_from_mem(entry, 64, 0, d)`.
"""

from __future__ import annotations

from pybpf.compiler.schema.dynptrs import DYNPTR, DynptrType
from pybpf.stdlib import helpers, kfuncs
from pybpf.stdlib.builtins import Builtin, sizeof
from pybpf.stdlib.types import Array, L, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = ["Dynptr"]


class Dynptr:
    """Memory that the kernel keeps the bounds of (`struct bpf_dynptr`). Linux 5.19, packets 6.4.

    Offsets and sizes are in bytes; what lies outside is refused when the program runs, so nothing need be checked
    before. In a simulation it works on the simulated memory.
    """

    __slots__ = ("_simulated",)

    if not TYPE_CHECKING:

        def __init__(self):
            raise RuntimeError("Dynptr() works inside a BPF program only: load() or simulate() the program")

    # --- making one

    @staticmethod
    def from_mem(memory: Any) -> Dynptr:
        """A value of a map, or a `var()`, all of it."""
        made = Dynptr()
        helpers.bpf_dynptr_from_mem(memory, sizeof(memory), 0, made)
        return made

    @staticmethod
    def from_skb(ctx: Any) -> Dynptr:
        """The packet of a socket buffer, from where the program sees it. Linux 6.4."""
        made = Dynptr()
        kfuncs.bpf_dynptr_from_skb(ctx, 0, made)
        return made

    @staticmethod
    def from_xdp(ctx: Any) -> Dynptr:
        """The packet of an XDP program, with all its fragments. Linux 6.4."""
        made = Dynptr()
        kfuncs.bpf_dynptr_from_xdp(ctx, 0, made)
        return made

    @staticmethod
    def from_skb_meta(ctx: Any) -> Dynptr:
        """The metadata in front of a packet, which an XDP program left. Linux 6.18."""
        made = Dynptr()
        kfuncs.bpf_dynptr_from_skb_meta(ctx, 0, made)
        return made

    def clone(self) -> Dynptr:
        """Another one of the same memory, with bounds of its own. Linux 6.5."""
        made = Dynptr()
        kfuncs.bpf_dynptr_clone(self, made)
        return made

    # --- copies

    def read(self, kind: type[T], offset: int = 0) -> T | None:
        """A copy of the number, struct or array at an offset; None where it reaches too far."""
        made = Array[kind, L[1]]()  # type: ignore[valid-type]
        if helpers.bpf_dynptr_read(made, sizeof(made), self, offset, 0) < 0:
            return None
        return made[0]

    def write(self, value: Any, offset: int = 0, size: int | None = None) -> bool:
        """Write a struct, array, text or bytes to an offset; of them the first `size` bytes, where that is given.

        False where it reaches too far, or where the memory is read-only. A packet may have to be copied for it: what
        refers to it is gone afterwards.
        """
        length = sizeof(value) if size is None else size
        return helpers.bpf_dynptr_write(self, offset, value, length, 0) == 0

    def copy_from(self, source: Dynptr, size: int, offset: int = 0, source_offset: int = 0) -> bool:
        """Copy bytes from another one. Linux 6.15."""
        return kfuncs.bpf_dynptr_copy(self, offset, source, source_offset, size) == 0  # type: ignore[no-any-return]

    def fill(self, byte: int, size: int, offset: int = 0) -> bool:
        """Set bytes to a value. Linux 6.17."""
        return kfuncs.bpf_dynptr_memset(self, offset, size, byte) == 0  # type: ignore[no-any-return]

    # --- bounds

    def size(self) -> u32:
        """Bytes that it is about. Linux 6.5."""
        return u32(kfuncs.bpf_dynptr_size(self))

    def is_null(self) -> bool:
        """Whether it could not be made: the ring buffer was full. Linux 6.5."""
        return bool(kfuncs.bpf_dynptr_is_null(self))

    def is_rdonly(self) -> bool:
        """Whether it can't be written. Linux 6.5."""
        return bool(kfuncs.bpf_dynptr_is_rdonly(self))

    def adjust(self, start: int, end: int) -> bool:
        """Narrow it to the bytes from `start` to `end`, which are then those from 0 on. Linux 6.5."""
        return kfuncs.bpf_dynptr_adjust(self, start, end) == 0  # type: ignore[no-any-return]

    # --- references

    if TYPE_CHECKING:

        def data(self, kind: type[T], offset: int = 0) -> T | None:
            """A reference to the struct or array at an offset, which can be written. Not of packets."""

        def slice(self, kind: type[T], offset: int = 0) -> T | None:
            """A reference to the struct or array at an offset, to be read; what is not in one piece is copied.

            Linux 6.4.
            """

        def slice_rdwr(self, kind: type[T], offset: int = 0) -> T | None:
            """A reference that can be written, of packets too; None also where it is not in one piece. Linux 6.5."""

        def discard(self) -> None:
            """In `with events.reserve(size) as d:`: take the record back."""

    else:
        data = Builtin("dynptr.data", None, "A reference to the struct or array at an offset, which can be written.")
        slice = Builtin("dynptr.slice", None, "A reference to the struct or array at an offset, to be read.")
        slice_rdwr = Builtin("dynptr.slice_rdwr", None, "A reference that can be written, of packets too.")
        discard = Builtin("dynptr.discard", None, "Take a record of a ring buffer back.")
        _data = helpers.bpf_dynptr_data
        _slice = kfuncs.Kfunc("bpf_dynptr_slice")
        _slice_rdwr = kfuncs.Kfunc("bpf_dynptr_slice_rdwr")


if not TYPE_CHECKING:
    Dynptr.__bpf__ = DynptrType(DYNPTR, (), 16, 8, owner=Dynptr, opaque=DYNPTR)
