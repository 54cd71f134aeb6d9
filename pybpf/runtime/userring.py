"""The user-space end of a user ring buffer: commands for programs, which take them with `drain()`.

    obj[commands].send(Command(pid=7, limit=100))               waits for room
    obj[commands].send(Command(pid=7, limit=100), timeout=0)    does not

The kernel's side (kernel/bpf/ringbuf.c, __bpf_user_ringbuf_peek; pages mapped from the map's fd):

    page 0     consumer position, read only         | page 1  producer position, written here
    pages 2-   the data, mapped twice in a row: u32 length | BUSY (bit 31) | DISCARD (bit 30), u32 0, then the record,
               padded to 8 bytes

A record is written in whole before the producer position moves past it, so BUSY is not needed: there is one writer, who
holds a lock. The map's fd is writable, in the sense of poll, when a program has drained the buffer.
"""

from __future__ import annotations

import mmap
import os
import select
import struct
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pybpf.runtime.codec import codec
from pybpf.runtime.errors import LoadError, MapFull, ObjectClosed, errno_name
from pybpf.runtime.maps.handle import MapHandle
from pybpf.runtime.syscall import fence

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedUserRingBuffer", "raw_command"]

V = TypeVar("V")

_HEADER = struct.Struct("<II")


def raw_command(command: Any, name: str) -> bytes:
    """What is sent to a buffer of bytes: bytes, or a Struct."""
    if not isinstance(command, (bytes, bytearray, memoryview)) and not hasattr(type(command), "__bpf_fields__"):
        raise TypeError(f"command of {name!r}: {command!r} is neither bytes nor a Struct")
    return bytes(command)


class LoadedUserRingBuffer(MapHandle, Generic[V]):
    """A user ring buffer. Several threads may send; one process should, since each has a lock of its own only."""

    def __init__(self, fd: int, spec: MapSpec, size: int, check: Callable[[], None]) -> None:
        """`size` is the kernel's, in bytes; `fd` stays the object's."""
        super().__init__(fd, spec, size, check)
        self.size = size
        self._codec = codec(spec.value, f"command of {spec.name!r}") if spec.value is not None else None
        self._lock = threading.RLock()
        self._closed = False
        self._wake = -1
        self._waiting = 0
        self._maps: list[mmap.mmap] = []
        self._views: list[memoryview] = []

    @property
    def waiting(self) -> int:
        """Bytes that were sent and that no program has taken yet, each record with a header of 8."""
        with self._lock:
            self._map()
            return int(self._producer[0] - self._consumer[0])

    def send(self, command: V, timeout: float | None = None) -> None:
        """Send a command to whichever program drains the buffer next.

        While there is no room, wait for at most `timeout` seconds (None: until there is; 0: not at all), then raise
        MapFull. Raises TypeError or OverflowError for what is no such command, ObjectClosed when the object is closed.
        """
        data = self._codec.encode(command) if self._codec is not None else raw_command(command, self.spec.name)
        record = _HEADER.pack(len(data), 0) + data.ljust((len(data) + 7) // 8 * 8, b"\0")
        if len(record) > self.size:
            raise ValueError(f"command of {self.name!r}: {len(data)} bytes never fit into a buffer of {self.size}")
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._put(record):
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise MapFull(
                    f"user ring buffer {self.name!r} is full: it has {self.size} bytes",
                    "let the program drain it more often, or declare it larger",
                )
            self._wait(left)

    def _put(self, record: bytes) -> bool:
        with self._lock:
            self._map()
            consumed, produced = self._consumer[0], self._producer[0]
            fence()
            if produced - consumed + len(record) > self.size:
                return False
            at = produced & (self.size - 1)
            self._data[at : at + len(record)] = record
            fence()
            self._producer[0] = produced + len(record)
            return True

    def _wait(self, left: float | None) -> None:
        """Until there is room, or the object is closed; for at most so many seconds."""
        with self._lock:
            self._map()
            if self._wake < 0:
                self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._waiting += 1
        try:
            poller = select.poll()
            poller.register(self._fd, select.POLLOUT)
            poller.register(self._wake, select.POLLIN)
            poller.poll(None if left is None else left * 1000)
            # poll says that there is room where any record fits, not this one
            if not self._closed and self._producer[0] != self._consumer[0]:
                time.sleep(0.0005)
        except ValueError:  # a released view
            pass
        finally:
            with self._lock:
                self._waiting -= 1
                self._end()

    def _map(self) -> None:
        """Map the pages at the first use. Locked."""
        self._check()
        if self._closed:
            raise ObjectClosed(f"user ring buffer {self.name!r}")
        if self._maps:
            return
        page = mmap.PAGESIZE
        try:
            self._maps.append(mmap.mmap(self._fd, page, mmap.MAP_SHARED, mmap.PROT_READ))
            both = mmap.PROT_READ | mmap.PROT_WRITE
            self._maps.append(mmap.mmap(self._fd, page + 2 * self.size, mmap.MAP_SHARED, both, offset=page))
        except OSError as error:
            raise LoadError(f"mapping user ring buffer {self.name!r}: {errno_name(error.errno or 0)}") from error
        whole = memoryview(self._maps[1])
        self._consumer = memoryview(self._maps[0])[:8].cast("Q")
        self._producer = whole[:8].cast("Q")
        self._data = whole[page:]
        self._views = [self._data, self._producer, self._consumer, whole]

    def close(self) -> None:
        """Unmap the buffer; those who wait for room get ObjectClosed. Called by the object; may be called twice."""
        with self._lock:
            self._closed = True
            for view in self._views:
                view.release()
            for mapped in self._maps:
                mapped.close()
            self._maps.clear()
            if self._waiting:
                os.eventfd_write(self._wake, 1)
            self._end()
        self._closed_alone()

    def _end(self) -> None:
        if self._closed and not self._waiting and self._wake >= 0:
            wake, self._wake = self._wake, -1
            os.close(wake)

    def __repr__(self) -> str:
        return f"<user ring buffer {self.name!r}: {self.size} bytes of {self.spec.value or 'any commands'}>"
