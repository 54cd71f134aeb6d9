"""The bases of context classes."""

from __future__ import annotations

from pybpf.compiler.schema.types import PtrType, Space
from pybpf.stdlib.builtins import sizeof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from pybpf.stdlib.struct import Struct

    H = TypeVar("H", bound=Struct)

__all__ = ["PACKET", "PACKET_END", "Context", "Packet"]

# The types of a packet's bounds, for fields of role "packet" and "packet_end".
PACKET = PtrType(None, Space.PACKET)
PACKET_END = PtrType(None, Space.PACKET_END)


class Context:
    """Base of all context classes."""


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
