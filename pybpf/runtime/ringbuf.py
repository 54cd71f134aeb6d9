"""The user-space end of a ring buffer: mmap, bulk decoding, and waiting (events.py).

The kernel's side (kernel/bpf/ringbuf.c; pages mapped from the map's fd):

    page 0     consumer position, written here      | page 1  producer position, read only
    pages 2-   the data, mapped twice in a row, so that a record never wraps:
               u32 length | BUSY (bit 31) | DISCARD (bit 30), u32 page offset, then the record, padded to 8 bytes

Positions are bytes since the beginning. A record's header is published with BUSY set before the producer position moves
past it, and BUSY is cleared when the record is whole; so a consumer reads up to the first BUSY header. Each position is
one aligned 8-byte access (`memoryview` of format Q copies it with a single load or store); the fences between them are
`syscall.fence()`.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.runtime.bulk import run_decoder
from pybpf.runtime.errors import LoadError, PybpfError, errno_name
from pybpf.runtime.events import EventSource
from pybpf.runtime.syscall import fence

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedRingBuffer"]

V = TypeVar("V")

_BUSY, _DISCARD, _LENGTH = 1 << 31, 1 << 30, (1 << 30) - 1
_HEADER = 8


class LoadedRingBuffer(EventSource[V]):
    """A ring buffer in the kernel.

    `lost` counts the events that found no room, where the declaration says `count_lost=True`. `discarded` counts the
    records that the program reserved and took back, as far as they were met.
    """

    kind = "ring buffer"

    def __init__(
        self, fd: int, spec: MapSpec, size: int, check: Callable[[], None], lost: Callable[[], int] | None = None
    ) -> None:
        """`size` is the kernel's, in bytes; `fd` stays the object's; `lost` reads the program's counter."""
        super().__init__(fd, spec, check)
        self.size = size
        self.discarded = 0
        self._lost = lost
        self._maps: list[mmap.mmap] = []
        self._views: list[memoryview] = []
        self._decoders: dict[int, Callable[[Any], list[V]]] = {}  # by the length of records

    @property
    def lost(self) -> int:
        """Events that found the buffer full, since the object was loaded. The declaration asks for the counter."""
        self._check()
        if self._lost is None:
            raise PybpfError(
                f"ring buffer {self.name!r} does not count the events that it loses",
                f"declare it so: {self.name} = RingBuffer[...](..., count_lost=True)",
            )
        return self._lost()

    def _sources(self) -> list[int]:
        return [self._fd]

    def _map(self) -> None:
        page, size = mmap.PAGESIZE, self.size
        try:
            consumer = mmap.mmap(self._fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
            self._maps.append(consumer)
            data = mmap.mmap(self._fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
            self._maps.append(data)
        except OSError as error:
            raise LoadError(f"mapping ring buffer {self.name!r}: {errno_name(error.errno or 0)}") from error
        whole = memoryview(data)
        self._consumer = memoryview(consumer)[:8].cast("Q")
        self._producer = whole[:8].cast("Q")
        self._data = whole[page:]
        self._words = self._data.cast("I")
        self._views = [self._words, self._data, self._producer, self._consumer, whole]
        self._mask = size - 1
        self._position: int = self._consumer[0]

    def _take(self, limit: int) -> list[V]:
        if not self._maps:
            self._map()
        end: int = self._producer[0]
        fence()
        events: list[V] = []
        position = self._position
        while position < end and len(events) < limit:
            batch, position, busy = self._records(position, end, limit - len(events))
            events += batch
            if busy:
                break
        if position != self._position:
            fence()
            self._consumer[0] = self._position = position
        return events

    def _records(self, position: int, end: int, limit: int) -> tuple[list[V], int, bool]:
        """The run of like records at a position: (events, position after them, whether the next one is BUSY)."""
        start = position & self._mask
        header: int = self._words[start >> 2]
        if header & _BUSY:
            return [], position, True
        length = header & _LENGTH
        step = length + 15 & ~7
        if header & _DISCARD:
            self.discarded += 1
            return [], position + step, False
        # All headers at that distance in one go; the records up to the first different one are alike.
        count = min((end - position) // step, limit)
        headers = self._words[start >> 2 : (start + count * step) >> 2 : step >> 2].tolist()
        if headers.count(header) != count:
            count = next(i for i, other in enumerate(headers) if other != header)
        fence()
        raw = bytes(self._data[start : start + count * step])
        return self._decode(raw, length, step), position + count * step, False

    def _decode(self, raw: bytes, length: int, step: int) -> list[V]:
        if self._codec is None:
            return [raw[at : at + length] for at in range(_HEADER, len(raw), step)]  # type: ignore[misc]
        decode = self._decoders.get(length)
        if decode is None:
            if length < self._codec.size:
                raise PybpfError(
                    f"ring buffer {self.name!r}: a record of {length} bytes, but {self._codec.type} has "
                    f"{self._codec.size}",
                    "declare the buffer with the type that the program writes",
                )
            decode = self._decoders[length] = run_decoder(self._codec.type, _HEADER, step)
        return decode(raw)

    def _whole(self) -> bool:
        if not self._maps:
            return False
        return self._position < self._producer[0] and not self._words[(self._position & self._mask) >> 2] & _BUSY

    def _release(self) -> None:
        for view in self._views:
            view.release()
        for mapped in self._maps:
            mapped.close()
        self._views.clear()
        self._maps.clear()

    def __repr__(self) -> str:
        what = self.spec.value if self.spec.value is not None else "bytes"
        return f"<ring buffer {self.name!r}: {self.size} bytes of {what}>"
