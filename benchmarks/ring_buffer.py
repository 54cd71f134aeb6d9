"""How many events a second Python takes out of a ring buffer: pybpf's consumer beside BCC's.

    .venv/bin/python benchmarks/ring_buffer.py [--rounds 15] [--events 100000] [--write]

Needs root, and BCC's Python package (Debian: python3-bpfcc). An XDP program, run on given input, fills a ring buffer
with events of 40 bytes; then the consumer takes them all, in this thread, and that is what is timed, in seconds of
the processor: neither ever waits, and other work on the machine does not count then. Both run in turns, each
on a ring of its own, in one process: a round gives a pair. Two uses are measured:

    typed events      pybpf: objects of the declared Struct, all fields decoded; BCC: its callback, which makes the
                      ctypes structure by `table.event(data)`, as its documentation shows
    all fields read   the same, and the sum of the numbers and the length of the command's name are taken of each

BCC compiles its programs against kernel headers, which this does without: its RingBuf and BPF classes consume a map
that is here already.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from pybpf import XDP, L, RingBuffer, Struct, Text, XdpContext, comm, ktime, load, u32, u64, xdp

RESULTS = Path(__file__).with_suffix(".txt")
SIZE = 1 << 23  # bytes of a ring


class Event(Struct):
    pid: u32
    cpu: u32
    time: u64
    bytes: u64
    comm: Text[L[16]]


class CtypesEvent(ctypes.Structure):
    """As BCC makes it of the C struct."""

    _fields_ = (("pid", ctypes.c_uint32), ("cpu", ctypes.c_uint32), ("time", ctypes.c_uint64),
                ("bytes", ctypes.c_uint64), ("comm", ctypes.c_char * 16))  # fmt: skip


ours = RingBuffer[Event](SIZE)
theirs = RingBuffer[Event](SIZE)


@xdp
def fill_ours(pkt: XdpContext) -> XDP:
    ours.emit(Event(pid=7, cpu=1, time=ktime(), bytes=u64(pkt.data_end - pkt.data), comm=comm()))
    return XDP.PASS


@xdp
def fill_theirs(pkt: XdpContext) -> XDP:
    theirs.emit(Event(pid=7, cpu=1, time=ktime(), bytes=u64(pkt.data_end - pkt.data), comm=comm()))
    return XDP.PASS


class Bcc:
    """BCC's consumer of a ring buffer."""

    def __init__(self, fd: int) -> None:
        sys.path.append("/usr/lib/python3/dist-packages")
        try:
            from bcc import BPF
            from bcc.table import RingBuf
        except ImportError:
            sys.exit("BCC's Python package is missing: apt-get install python3-bpfcc")
        self.bpf = BPF.__new__(BPF)
        self.bpf._ringbuf_manager = None
        self.ring = RingBuf.__new__(RingBuf)
        self.ring.bpf, self.ring.map_fd, self.ring._cbs = self.bpf, fd, {}
        self.ring._event_class = CtypesEvent
        self.count = self.total = 0
        self.read = False
        self.ring.open_ring_buffer(self.callback)

    def callback(self, context: Any, data: Any, size: int) -> None:
        event = self.ring.event(data)
        self.count += 1
        if self.read:
            self.total += event.pid + event.cpu + event.time + event.bytes + len(event.comm.decode())

    def take(self, read: bool) -> int:
        self.count, self.read = 0, read
        self.bpf.ring_buffer_consume()
        return self.count


class Ours:
    """pybpf's consumer."""

    def __init__(self, ring: Any) -> None:
        self.ring = ring
        self.total = 0

    def take(self, read: bool) -> int:
        count = 0
        while events := self.ring.read_many(4096):
            count += len(events)
            if read:
                for event in events:
                    self.total += event.pid + event.cpu + event.time + event.bytes + len(event.comm)
        return count


def measure(rounds: int, events: int) -> dict[tuple[str, bool], list[float]]:
    """Events a second, by consumer and use, a number for each round."""
    speeds: dict[tuple[str, bool], list[float]] = {}
    with load(fill_ours, fill_theirs) as obj:
        consumers: dict[str, tuple[Any, Any]] = {
            "pybpf": (obj.programs["fill_ours"], Ours(obj[ours])),
            "bcc": (obj.programs["fill_theirs"], Bcc(obj[theirs].fd)),
        }
        for round in range(rounds + 1):  # the first one warms up
            for read in (False, True):
                for name, (program, consumer) in consumers.items():
                    program.test(bytes(64), repeat=events)
                    start = time.thread_time()
                    count = consumer.take(read)
                    taken = time.thread_time() - start
                    assert count == events, f"{name} took {count} of {events}"
                    if round:
                        speeds.setdefault((name, read), []).append(events / taken)
    return speeds


def version() -> str:
    import bcc

    return str(bcc.__version__)


def report(speeds: dict[tuple[str, bool], list[float]], arguments: str) -> str:
    system = os.uname()
    where = f"Python {platform.python_version()}, {system.sysname} {system.release}, {os.cpu_count()} cores"
    lines = [
        f"benchmarks/ring_buffer.py {arguments}".rstrip(),
        f"{where}, BCC {version()}",
        "",
        f"{'events a second':<22}{'pybpf':>12}{'BCC':>12}{'pybpf / BCC':>14}{'least of a pair':>18}",
    ]
    for read, label in ((False, "typed events"), (True, "all fields read")):
        one, other = speeds["pybpf", read], speeds["bcc", read]
        pairs = [a / b for a, b in zip(one, other)]
        lines.append(
            f"{label:<22}{statistics.median(one):>12,.0f}{statistics.median(other):>12,.0f}"
            f"{statistics.median(pairs):>14.2f}{min(pairs):>18.2f}"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--write", action="store_true", help=f"keep the table in {RESULTS.name}")
    given = parser.parse_args()
    text = report(measure(given.rounds, given.events), f"--rounds {given.rounds} --events {given.events}")
    print(text, end="")
    if given.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
