"""Perf event arrays, user ring buffers and stack traces of a simulation.

sim[samples].poll()                    as of a ring buffer; list(sim[samples].with_packets()) has the packets' bytes too
sim[commands].send(Command(pid=7))     what the program's next drain() takes
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pybpf.compiler.schema.types import is_aggregate
from pybpf.runtime.codec import codec
from pybpf.runtime.userring import raw_command
from pybpf.simulator.dynptrs import SimulatedDynptr
from pybpf.simulator.memory import Ref, scalar_of
from pybpf.simulator.tables import Ring, to_bytes
from pybpf.simulator.views import RingView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["Commands", "CommandsView", "PerfRing", "PerfView", "Stacks", "perf_output"]

V = TypeVar("V")

_PAGE = 4096
_EFAULT, _ENOSPC = 14, 28


class PerfRing(Ring):
    """A perf event array, whose one CPU has a ring; `packets` are the bytes behind each of its events.

    A record takes 12 bytes, the event and the packet's bytes, rounded up to 8 (kernel/events/core.c).
    """

    def __init__(self, spec: MapSpec) -> None:
        super().__init__(spec)
        self.packets: list[bytes] = []

    def put(self, event: bytes, packet: bytes) -> int:
        del self.packets[: max(0, len(self.packets) - len(self.events))]  # of events that were consumed
        used = sum([_record(len(one), len(more)) for one, more in zip(self.events, self.packets)])
        if used + _record(len(event), len(packet)) >= self.spec.pages * _PAGE:  # one byte always stays free
            return -_ENOSPC
        self.events.append(event)
        self.packets.append(packet)
        return 0


def _record(event: int, packet: int) -> int:
    return (12 + event + packet + 7) // 8 * 8


def perf_output(sim: Any, ring: PerfRing, flags: int, data: Any, size: int) -> int:
    """bpf_perf_event_output(): the upper half of `flags` is how much of the packet to take along."""
    wanted = flags >> 32 & 0xF_FFFF
    packet = bytes(sim.packet or b"")
    if wanted > len(packet):
        return -_EFAULT
    assert ring.value_type is not None
    return ring.put(to_bytes(ring.value_type, data)[:size], packet[:wanted])


class PerfView(RingView[V]):
    """A perf event array as the test sees it: a ring buffer, and what its events took of the packet."""

    def __init__(self, ring: PerfRing) -> None:
        super().__init__(ring)
        self._perf = ring

    def with_packets(self) -> list[tuple[V, bytes]]:
        """The events, each with the bytes of the packet behind it."""
        return list(zip(self, self._perf.packets[len(self._perf.packets) - len(self) :]))


class Commands:
    """A user ring buffer: what was sent and not yet taken, oldest first."""

    def __init__(self, spec: MapSpec) -> None:
        self.spec = spec
        self.value_type = spec.value  # None: bytes, of which a record has any number
        self.sent: list[bytes] = []

    def walk(self) -> Iterator[tuple[None, Any]]:
        """What a program's drain() takes: numbers, or places of their own."""
        kind = self.value_type
        while self.sent:
            if kind is None:
                sent = self.sent.pop(0)
                yield None, SimulatedDynptr(Ref(bytearray(sent), 0, None), len(sent))
                continue
            place = Ref(bytearray(to_bytes(kind, Ref(bytearray(self.sent.pop(0)), 0, kind))), 0, kind)
            yield None, place if is_aggregate(kind) else scalar_of(kind).load(place)


class CommandsView(Generic[V]):
    """A user ring buffer as the test sees it."""

    def __init__(self, table: Commands) -> None:
        self._table = table
        name = f"command of {table.spec.name!r}"
        self._value = codec(table.value_type, name) if table.value_type is not None else None

    @property
    def waiting(self) -> int:
        """Bytes that were sent and not yet taken, each record with a header of 8."""
        return sum([8 + (len(sent) + 7) // 8 * 8 for sent in self._table.sent])

    def send(self, command: V, timeout: float | None = None) -> None:
        """Send a command. There is nobody to wait for: MapFull where there is no room."""
        data = self._value.encode(command) if self._value is not None else raw_command(command, self._table.spec.name)
        if self.waiting + 8 + (len(data) + 7) // 8 * 8 > self._table.spec.max_entries:
            from pybpf.runtime.errors import MapFull

            raise MapFull(f"user ring buffer {self._table.spec.name!r} is full: run the program that drains it")
        self._table.sent.append(data)

    def __repr__(self) -> str:
        return f"<simulated {self._table.spec.name}: {len(self._table.sent)} sent>"


class Stacks:
    """A map of stack traces. There are no stacks in a simulation: bpf_get_stackid() is for the test to supply."""

    def __init__(self, spec: MapSpec) -> None:
        self.spec = spec
