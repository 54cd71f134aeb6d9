"""Events of a program as they come: what the user-space ends of ring buffers and perf event arrays share.

    for event in obj[opens]: ...            blocks until there is one; ends when the object is closed
    async for event in obj[opens]: ...      the same in asyncio, without threads
    for event in obj[opens].poll_for(5): ...    for five seconds
    obj[opens].poll(0.1)                    events as a list: waits for the first, takes all that are there
    obj[opens].read()                       takes what is there, waits for nothing
    obj[opens].read_many(1000)              the same, at most so many

Waiting is poll(2), which releases the interpreter lock, on the descriptors of the buffers and one of our own that
`close` wakes; no wake-up is lost, since the kernel looks at a buffer's positions after queueing the waiter.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from pybpf.runtime.codec import Codec, codec
from pybpf.runtime.errors import ObjectClosed
from pybpf.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["EventSource"]

V = TypeVar("V")

_BATCH = 1024  # events decoded at once while iterating: keeps the first one's delay short


class EventSource(MapHandle, Generic[V]):
    """Events come as values of the declared type, or as bytes where none is known.

    One consumer per buffer: several threads may read it, but each event goes to one of them.
    """

    kind = "events"  # what error messages call it

    def __init__(self, fd: int, spec: MapSpec, check: Callable[[], None]) -> None:
        """`fd` stays the object's; `check` raises when that is closed."""
        super().__init__(fd, spec, spec.max_entries, check)
        self._codec: Codec | None = codec(spec.value, f"event of {spec.name!r}") if spec.value is not None else None
        # Taken to consume and to close, never while waiting. Reentrant: a signal handler may close the object.
        self._lock = threading.RLock()
        self._pending: deque[V] = deque()
        self._closed = False
        self._waiting = 0
        self._wake = -1

    @property
    def fds(self) -> list[int]:
        """The descriptors to wait for: readable, in the sense of poll, while there are events. They are not yours."""
        self._check()
        return self._sources()

    @property
    def lost(self) -> int:
        """Events that found no room."""
        raise NotImplementedError

    # ---------------------------------------------------------------------- what a kind of buffer does

    def _sources(self) -> list[int]:
        """The descriptors that are readable, in the sense of poll, while there are events."""
        raise NotImplementedError

    def _take(self, limit: int) -> list[V]:
        """Decode up to `limit` events and give their space back; fewer mean that there are no more. Locked."""
        raise NotImplementedError

    def _whole(self) -> bool:
        """Whether the oldest event is complete. Locked."""
        raise NotImplementedError

    def _release(self) -> None:
        """Give back the memory that the buffer takes. Locked; may be called twice."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Give back the descriptors of its own, when nobody waits for them any more. Locked; may be called twice."""

    # ---------------------------------------------------------------------- taking events

    def read(self) -> list[V]:
        """All events that are there now, oldest first."""
        self._check()
        return self._drain()

    def read_many(self, limit: int) -> list[V]:
        """Up to `limit` of the events that are there now, oldest first."""
        self._check()
        events = []
        for event in self._take_pending():
            events.append(event)
            if len(events) >= limit:
                return events
        while len(events) < limit:
            batch = self._consume(limit - len(events))
            if not batch:
                break
            events += batch
        return events

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
        watched = [os.dup(fd) for fd in (*self._sources(), self._wake)]
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
                if not self._closed and not self._ready():
                    await asyncio.sleep(0.001)  # the oldest event is still being written
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

    def _consume(self, limit: int) -> list[V]:
        with self._lock:
            if self._closed:
                return []
            try:
                return self._take(limit)
            except ValueError:  # a released view: closed in a signal handler or finalizer, in this very thread
                if self._closed:
                    return []
                raise

    def _ready(self) -> bool:
        with self._lock:
            return not self._closed and self._whole()

    # ---------------------------------------------------------------------- waiting and closing

    def _enter_wait(self) -> None:
        with self._lock:
            if self._closed:
                raise ObjectClosed(f"{self.kind} {self.name!r}")
            if self._wake < 0:
                self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._waiting += 1

    def _leave_wait(self) -> None:
        with self._lock:
            self._waiting -= 1
            if self._closed and not self._waiting:
                self._end()

    def _end(self) -> None:
        wake, self._wake = self._wake, -1
        if wake >= 0:
            os.close(wake)
        self._forget()

    def _wait(self, deadline: float | None) -> bool:
        """Sleep until the buffer is not empty. False: the deadline passed, or the buffer was closed."""
        try:
            self._enter_wait()
        except ObjectClosed:
            return False
        try:
            poller = select.poll()
            for fd in (*self._sources(), self._wake):
                poller.register(fd, select.POLLIN)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = poller.poll(None if left is None else left * 1000)
            if self._closed or not ready:
                return False
            if not self._ready():
                time.sleep(0.0002)  # the oldest event is still being written
                return deadline is None or time.monotonic() < deadline
            return True
        finally:
            self._leave_wait()

    def close(self) -> None:
        """Unmap the buffer and end all loops over it; called by the object. May be called twice, from any thread."""
        with self._lock:
            self._closed = True
            if self._waiting:
                os.eventfd_write(self._wake, 1)
            self._release()
            if not self._waiting:
                self._end()
        self._closed_alone()
