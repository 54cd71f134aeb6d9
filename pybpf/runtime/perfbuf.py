"""The user-space end of a perf event array: a ring for each CPU that is online, opened when the object is loaded.

    for event in obj[samples]: ...                      as of a ring buffer: events.py
    for event, packet in obj[samples].with_packets():   with the bytes of the packet behind each event
    obj[samples].lost                                   events that found their ring full

The kernel's side (include/uapi/linux/perf_event.h, struct perf_event_mmap_page): a page whose data_head (u64 at 1024)
the kernel moves and whose data_tail (1032) is moved here, then 2^n pages of records, which wrap at the end:

    u32 type, u16 misc, u16 size         of the record with this header, a multiple of 8
    PERF_RECORD_SAMPLE (9)               u32 length, and so many bytes: the event, then what was asked of the packet,
                                         and up to 7 bytes of padding, which the length includes
    PERF_RECORD_LOST (2)                 u64 id, u64 how many did not fit; written in front of the next that does

Events of one CPU are in order; between CPUs there is none.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.compiler.schema.record import Record
from pybpf.runtime import mapops, syscall
from pybpf.runtime.bulk import run_decoder
from pybpf.runtime.errors import LoadError, PybpfError, errno_name, not_permitted
from pybpf.runtime.events import EventSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["LoadedPerfEvents"]

V = TypeVar("V")

_HEAD, _TAIL = 1024 // 8, 1032 // 8  # words of the first page
_LOST, _SAMPLE = 2, 9
_FRONT = 12  # bytes in front of an event: the record's header and the length
_RECORD = struct.Struct("<IHHI")
_SOFTWARE, _BPF_OUTPUT, _RAW = 1, 10, 1 << 10  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW


class _Cpu(Record, eq=False):
    """The ring of a CPU: its perf event, the mapped pages, and views of them."""

    fd: int
    pages: mmap.mmap
    words: memoryview  # of the first page
    data: memoryview


class LoadedPerfEvents(EventSource[V]):
    """A perf event array, with what programs emitted and nobody has read yet."""

    kind = "perf event array"

    def __init__(self, fd: int, spec: MapSpec, pages: int, check: Callable[[], None]) -> None:
        """`pages` is the room of each CPU's ring, a power of two; `fd` stays the object's. Raises LoadError."""
        super().__init__(fd, spec, check)
        self.pages = pages
        self._cpus: list[_Cpu] = []
        self._lost = 0
        self._packets = False
        self._decoders: dict[int, Callable[[Any], list[V]]] = {}  # by the size of records
        self._size = pages * mmap.PAGESIZE
        try:
            for cpu in mapops.online_cpus():
                self._open(cpu)
        except BaseException:
            self.close()
            raise

    @property
    def lost(self) -> int:
        """Events that found their ring full, as far as the kernel has said so: it does when the next one fits."""
        self._check()
        return self._lost

    def with_packets(self) -> LoadedPerfEvents[tuple[V, bytes]]:
        """From now on events come as (event, bytes): what `emit(event, packet=n)` took of the packet.

        The bytes end in up to 7 of padding: programs that cut packets at varying lengths put the length into the event.
        """
        self._check()
        self._packets = True
        self._decoders.clear()
        return self  # type: ignore[return-value]

    def _open(self, cpu: int) -> None:
        try:
            fd = syscall.open_perf_event(_SOFTWARE, _BPF_OUTPUT, cpu=cpu, sample_type=_RAW)
        except OSError as error:
            if error.errno == errno.ENODEV:  # it went offline
                return
            what = f"opening the perf events of {self.name!r}"
            if error.errno in (errno.EPERM, errno.EACCES):
                raise not_permitted(what) from None
            raise LoadError(f"{what}: {errno_name(error.errno or 0)}") from None
        try:
            pages = mmap.mmap(fd, mmap.PAGESIZE + self._size)
        except OSError as error:
            os.close(fd)
            raise LoadError(
                f"mapping the perf events of {self.name!r}: {errno_name(error.errno or 0)}",
                "declare it with fewer pages, or raise the limits: ulimit -l, and sysctl kernel.perf_event_mlock_kb",
            ) from None
        whole = memoryview(pages)
        ring = _Cpu(fd, pages, whole[: mmap.PAGESIZE].cast("Q"), whole[mmap.PAGESIZE :])
        whole.release()
        self._cpus.append(ring)
        mapops.update(self._fd, cpu.to_bytes(4, "little"), fd.to_bytes(4, "little"))
        syscall.perf_enable(fd)

    def _sources(self) -> list[int]:
        return [ring.fd for ring in self._cpus]

    # ---------------------------------------------------------------------- the rings

    def _take(self, limit: int) -> list[V]:
        events: list[V] = []
        for ring in self._cpus:
            self._of(ring, limit, events)
            if len(events) >= limit:
                break
        return events

    def _of(self, ring: _Cpu, limit: int, events: list[V]) -> None:
        """Append what a CPU's ring holds, until there are `limit` events."""
        head, tail = ring.words[_HEAD], ring.words[_TAIL]
        if head == tail:
            return
        syscall.fence()
        mask, size = self._size - 1, self._size
        start, length = tail & mask, head - tail
        raw = bytes(ring.data[start : start + length])  # up to the end, and what wrapped
        if start + length > size:
            raw += bytes(ring.data[: start + length - size])
        at = 0
        while at < length and len(events) < limit:
            kind, _, step, count = _RECORD.unpack_from(raw, at)
            if kind == _SAMPLE:
                # All records behind it that are like it: the headers differ in `misc` at most.
                end = at + step
                most = at + step * (limit - len(events))
                while end < length and end < most and _RECORD.unpack_from(raw, end)[::2] == (kind, step):
                    end += step
                events += self._decode(raw[at:end], step, count)
                at = end
                continue
            if kind == _LOST:
                self._lost += struct.unpack_from("<Q", raw, at + 16)[0]
            at += step
        syscall.fence()
        ring.words[_TAIL] = tail + at

    def _decode(self, raw: bytes, step: int, count: int) -> list[V]:
        if self._codec is None:
            return [raw[at + _FRONT : at + _FRONT + count] for at in range(0, len(raw), step)]  # type: ignore[misc]
        decode = self._decoders.get(step)
        if decode is None:
            size = self._codec.size
            if count < size:
                raise PybpfError(
                    f"perf event array {self.name!r}: an event of {count} bytes, but {self._codec.type} has {size}",
                    "declare it with the type that the program writes",
                )
            decode = run_decoder(self._codec.type, _FRONT, step)
            if self._packets:
                decode = _with_rest(decode, step, _FRONT + size)
            self._decoders[step] = decode
        return decode(raw)

    def _whole(self) -> bool:
        return True  # the kernel moves the head behind what is complete

    def _release(self) -> None:
        for ring in self._cpus:
            ring.words.release()
            ring.data.release()
            ring.pages.close()

    def _forget(self) -> None:
        while self._cpus:
            os.close(self._cpus.pop().fd)

    def __repr__(self) -> str:
        what = self.spec.value if self.spec.value is not None else "bytes"
        return f"<perf event array {self.name!r}: {self.pages} pages a CPU of {what}>"


def _with_rest(decode: Callable[[Any], list[Any]], step: int, end: int) -> Callable[[Any], list[Any]]:
    """Pairs of an event and what follows it in its record."""
    return lambda raw: list(zip(decode(raw), [raw[at + end : at + step] for at in range(0, len(raw), step)]))
