"""The bases of context classes."""

from __future__ import annotations

from pybpf.compiler.schema.types import PtrType, Space
from pybpf.stdlib.builtins import sizeof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pybpf.compiler.schema.specs import ContextSpec
    from pybpf.stdlib.struct import Struct

    H = TypeVar("H", bound=Struct)

__all__ = ["PACKET", "PACKET_END", "Context", "Later", "MetaPacket", "Packet"]

# The types of a packet's bounds, for fields of role "packet" and "packet_end".
PACKET = PtrType(None, Space.PACKET)
PACKET_END = PtrType(None, Space.PACKET_END)


class Context:
    """Base of all context classes."""


class Later:
    """A class's `__bpf__` that is made when it is first asked for: of a context that has types of the kernel."""

    def __init__(self, make: Callable[[], ContextSpec]) -> None:
        self._make = make
        self._made: ContextSpec | None = None

    def __get__(self, instance: object, owner: type) -> ContextSpec:
        if self._made is None:
            self._made = self._make()
        return self._made


class Packet(Context):
    """A packet that can be read in place. `cursor` is the address of what `parse` and `skip` come to next."""

    if TYPE_CHECKING:
        data: int
        data_end: int
        cursor: int

    def parse(self, header: type[H]) -> H | None:
        """The header at the cursor, which moves past it; None where the packet is too short."""
        start = self.cursor
        if start + sizeof(header) > self.data_end:
            return None
        self.cursor = start + sizeof(header)
        return header.at(start)

    def skip(self, count: int) -> bool:
        """Move the cursor over `count` bytes; False, and no move, where the packet is too short or `count` negative.

        At most 16383 bytes at once: the verifier follows an address to 65535 bytes from the packet's start
        (MAX_PACKET_OFF), and adds up the most that each skip may have moved it.
        """
        if count < 0 or count > 0x3FFF:
            return False
        start = self.cursor
        if start + count > self.data_end:
            return False
        self.cursor = start + count
        return True


class MetaPacket(Packet):
    """A packet with metadata in front: what an XDP program leaves there, a TC program finds."""

    if TYPE_CHECKING:
        data_meta: int

    def meta(self, kind: type[H]) -> H | None:
        """The metadata, as such a struct; None where there is less. XDP: make room by `adjust_meta(-sizeof(kind))`."""
        start = self.data_meta
        if start + sizeof(kind) > self.data:
            return None
        return kind.at(start)
