"""The user-space end of a ring buffer: mmap, bulk decoding, and waiting without holding the interpreter lock.

    for event in obj[opens]: ...            blocks until there is one; ends when the object is closed
    async for event in obj[opens]: ...      the same in asyncio, without threads
    for event in obj[opens].poll_for(5): ...    for five seconds
    obj[opens].poll(0.1)                    events as a list: waits for the first, takes all that are there
    obj[opens].read()                       takes what is there, waits for nothing

The kernel's side (kernel/bpf/ringbuf.c; pages mapped from the map's fd):

    page 0     consumer position, written here      | page 1  producer position, read only
    pages 2-   the data, mapped twice in a row, so that a record never wraps:
               u32 length | BUSY (bit 31) | DISCARD (bit 30), u32 page offset, then the record, padded to 8 bytes

Positions are bytes since the beginning. A record's header is published with BUSY set before the producer position moves
past it, and BUSY is cleared when the record is whole; so a consumer reads up to the first BUSY header. Each position is
one aligned 8-byte access (`memoryview` of format Q copies it with a single load or store); the fences between them are
`syscall.fence()`. Sleeping uses poll(2), which looks at both positions after queueing itself: no wake-up is lost.
"""

from __future__ import annotations

import mmap
import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pybpf.runtime.codec import Codec, codec
from pybpf.runtime.errors import LoadError, ObjectClosed, PybpfError, errno_name
from pybpf.runtime.syscall import fence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedRingBuffer"]

V = TypeVar("V")

_BUSY, _DISCARD, _LENGTH = 1 << 31, 1 << 30, (1 << 30) - 1
_BATCH = 1024  # records decoded at once while iterating: keeps the first event's delay short


class LoadedRingBuffer(Generic[V]):
    """A ring buffer in the kernel; events come as values of the declared type, or as bytes where none is known.

    One consumer per buffer: several threads may read it, but each event goes to one of them.
    """

    def __init__(self, fd: int, spec: MapSpec, size: int, check: Callable[[], None]) -> None:
        """`size` is the kernel's, in bytes; `fd` stays the object's; `check` raises when that is closed."""
        self.name = spec.name
        self.spec = spec
        self.size = size
        self._fd = fd
        self._check = check
        self._codec: Codec | None = codec(spec.value, f"event of {spec.name!r}") if spec.value is not None else None
        # Taken to consume and to close, never while waiting. Reentrant: a signal handler may close the object.
        self._lock = threading.RLock()
        self._pending: deque[V] = deque()
        self._closed = False
        self._waiting = 0
        self._wake = -1
        self._maps: list[mmap.mmap] = []
        self._views: list[memoryview] = []

    @property
    def fd(self) -> int:
        """The map's file descriptor: readable, in the sense of poll, while there are events. It is the object's."""
        self._check()
        return self._fd

    # ---------------------------------------------------------------------- taking events

    def read(self) -> list[V]:
        """All events that are there now, oldest first."""
        self._check()
        return self._drain()

    def _drain(self) -> list[V]:
        events = list(self._take_pending())
        while True:
            batch = self._consume(_BATCH)
            events += batch
            if len(batch) < _BATCH:
                return events

    def poll(self, timeout: float | None = None) -> list[V]:
        """Wait for an event for at most `timeout` seconds (None: for ever); then all events that are there.

        Empty when the time is over, or when the object is closed meanwhile.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self._check()
        while True:
            events = self._drain()
            if events or not self._wait(deadline):
                return events

    def __iter__(self) -> Iterator[V]:
        return self.poll_for(None)

    def poll_for(self, seconds: float | None) -> Iterator[V]:
        """Events as they come, for some seconds (None: for ever), or until the object is closed."""
        self._check()
        deadline = None if seconds is None else time.monotonic() + seconds
        return self._until(deadline)

    def _until(self, deadline: float | None) -> Iterator[V]:
        while True:
            yield from self._take_pending()
            if deadline is not None and time.monotonic() > deadline:
                return
            self._pending.extend(self._consume(_BATCH))
            if not self._pending and not self._wait(deadline):
                return

    async def __aiter__(self) -> AsyncIterator[V]:
        self._check()
        import asyncio

        self._enter_wait()
        # duplicates: an event loop allows one reader for each descriptor
        watched = [os.dup(self._fd), os.dup(self._wake)]
        loop = asyncio.get_running_loop()
        try:
            while not self._closed:
                for event in self._take_pending():
                    yield event
                self._pending.extend(self._consume(_BATCH))
                if self._pending:
                    continue
                woken = asyncio.Event()
                try:
                    for fd in watched:
                        loop.add_reader(fd, woken.set)
                    await woken.wait()
                finally:
                    for fd in watched:
                        loop.remove_reader(fd)
                if not self._closed and not self._consumable():
                    await asyncio.sleep(0.001)  # the oldest record is still being written
        finally:
            for fd in watched:
                os.close(fd)
            self._leave_wait()

    def _take_pending(self) -> Iterator[V]:
        """Events decoded before and not yet given out: what a loop left behind by `break`."""
        pending = self._pending
        while pending:
            try:
                yield pending.popleft()
            except IndexError:  # another thread took it
                return

    # ---------------------------------------------------------------------- the buffer

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

    def _consume(self, limit: int) -> list[V]:
        """Decode up to `limit` records and give their space back; fewer means that there are no more."""
        with self._lock:
            if self._closed:
                return []
            if not self._maps:
                self._map()
            try:
                return self._consume_mapped(limit)
            except ValueError:  # a released view: closed in a signal handler or finalizer, in this very thread
                if self._closed:
                    return []
                raise

    def _consume_mapped(self, limit: int) -> list[V]:
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
            return [], position + step, False
        # All headers at that distance in one go; the records up to the first different one are alike.
        count = min((end - position) // step, limit)
        headers = self._words[start >> 2 : (start + count * step) >> 2 : step >> 2].tolist()
        if headers.count(header) != count:
            count = next(i for i, other in enumerate(headers) if other != header)
        fence()
        first = start + 8
        data = self._data
        if self._codec is None:
            events: list[Any] = [bytes(data[at : at + length]) for at in range(first, first + count * step, step)]
        elif length < self._codec.size:
            raise PybpfError(
                f"ring buffer {self.name!r}: a record of {length} bytes, but {self._codec.type} has {self._codec.size}",
                "declare the buffer with the type that the program writes",
            )
        else:
            decode = self._codec.decode
            events = [decode(data, at) for at in range(first, first + count * step, step)]
        return events, position + count * step, False

    def _consumable(self) -> bool:
        """Whether the oldest record is whole."""
        with self._lock:
            if self._closed or not self._maps:
                return False
            return self._position < self._producer[0] and not self._words[(self._position & self._mask) >> 2] & _BUSY

    # ---------------------------------------------------------------------- waiting and closing

    def _enter_wait(self) -> None:
        with self._lock:
            if self._closed:
                raise ObjectClosed(f"ring buffer {self.name!r}")
            if self._wake < 0:
                self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._waiting += 1

    def _leave_wait(self) -> None:
        with self._lock:
            self._waiting -= 1
            if self._closed and not self._waiting:
                os.close(self._wake)
                self._wake = -1

    def _wait(self, deadline: float | None) -> bool:
        """Sleep until the buffer is not empty. False: the deadline passed, or the buffer was closed."""
        try:
            self._enter_wait()
        except ObjectClosed:
            return False
        try:
            poller = select.poll()
            poller.register(self._fd, select.POLLIN)
            poller.register(self._wake, select.POLLIN)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = poller.poll(None if left is None else left * 1000)
            if self._closed or not ready:
                return False
            if not self._consumable():
                time.sleep(0.0002)  # the oldest record is still being written
                return deadline is None or time.monotonic() < deadline
            return True
        finally:
            self._leave_wait()

    def close(self) -> None:
        """Unmap the buffer and end all loops over it; called by the object. May be called twice, from any thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)
                if not self._waiting:
                    os.close(self._wake)
                    self._wake = -1
            for view in self._views:
                view.release()
            for mapped in self._maps:
                mapped.close()
            self._views.clear()
            self._maps.clear()

    def __repr__(self) -> str:
        what = self.spec.value if self.spec.value is not None else "bytes"
        return f"<ring buffer {self.name!r}: {self.size} bytes of {what}>"
