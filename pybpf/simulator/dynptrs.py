"""Dynptrs in a simulation: memory with bounds, and the kernel's functions of it (kernel/bpf/helpers.c).

What reaches outside gives -E2BIG, what is only to be read -EINVAL, as in the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.simulator.memory import Place, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.types import Type
    from pybpf.simulator.simulation import Simulation
    from pybpf.simulator.tables import Record, Ring

__all__ = ["DYNPTR_HELPERS", "SimulatedDynptr"]

_E2BIG, _EINVAL, _ERANGE, _ENOMEM = -7, -22, -34, -12


class SimulatedDynptr:
    """`size` bytes from `offset` on of what is at `place`; of nothing where that is None."""

    __slots__ = ("offset", "place", "rdonly", "record", "size")

    def __init__(self, place: Place | None = None, size: int = 0) -> None:
        self.set(place, size)

    def set(self, place: Place | None, size: int, record: Record | None = None) -> None:
        self.place = place
        self.offset = 0
        self.size = size if place is not None else 0
        self.rdonly = False
        self.record = record

    def outside(self, offset: int, size: int) -> bool:
        return self.place is None or offset > self.size or size > self.size - offset

    def at(self, offset: int, type: Type | None) -> Any:
        assert self.place is not None
        return self.place.at(self.offset + offset, type)

    def discard(self) -> None:
        """Take the record back that it is about."""
        if self.record is not None:
            self.record.discard()
        self.set(None, 0)

    def slice(self, offset: int, size: int, type: Type) -> Place | None:
        """A reference into the memory; None where it reaches too far."""
        return None if self.outside(offset, size) else self.at(offset, type)


def _from_mem(sim: Simulation, data: Place, size: int, flags: int, made: SimulatedDynptr) -> int:
    made.set(data.at(0, None), size)
    return 0


def _from_packet(sim: Simulation, context: Any, flags: int, made: SimulatedDynptr) -> int:
    packet = sim._packet()
    made.set(Ref(packet, 0, None), len(packet))
    return 0


def _from_meta(sim: Simulation, context: Any, flags: int, made: SimulatedDynptr) -> int:
    made.set(Ref(sim.metadata, 0, None), len(sim.metadata))
    return 0


def _reserve(sim: Simulation, ring: Ring, size: int, flags: int, made: SimulatedDynptr) -> int:
    record = ring.reserve(size)
    ring.lost += record.ref is None
    made.set(None if record.ref is None else record.ref.at(0, None), size, record)
    return 0 if record.ref is not None else _ENOMEM


def _finish(keep: bool) -> Callable[[Simulation, SimulatedDynptr, int], int]:
    def finish(sim: Simulation, dynptr: SimulatedDynptr, flags: int) -> int:
        if keep and dynptr.record is not None:
            dynptr.record.ring.finish(dynptr.record, True)
        dynptr.discard()
        return 0

    return finish


def _read(sim: Simulation, to: Place, size: int, source: SimulatedDynptr, offset: int, flags: int) -> int:
    if source.outside(offset, size):
        return _E2BIG if source.place is not None else _EINVAL
    to.write(source.at(offset, None).read(size))
    return 0


def _write(sim: Simulation, to: SimulatedDynptr, offset: int, source: Any, size: int, flags: int) -> int:
    if to.place is None or to.rdonly:
        return _EINVAL
    if to.outside(offset, size):
        return _E2BIG
    data = source.read(size) if isinstance(source, Place) else bytes(source)[:size].ljust(size, b"\0")
    to.at(offset, None).write(data)
    return 0


def _copy(sim: Simulation, to: SimulatedDynptr, at: int, source: SimulatedDynptr, offset: int, size: int) -> int:
    if source.outside(offset, size) or to.outside(at, size):
        return _E2BIG
    to.at(at, None).write(source.at(offset, None).read(size))
    return 0


def _memset(sim: Simulation, to: SimulatedDynptr, offset: int, size: int, byte: int) -> int:
    if to.place is None or to.rdonly:
        return _EINVAL
    if to.outside(offset, size):
        return _E2BIG
    to.at(offset, None).write(bytes([byte & 255]) * size)
    return 0


def _adjust(sim: Simulation, dynptr: SimulatedDynptr, start: int, end: int) -> int:
    if dynptr.place is None or start > end:
        return _EINVAL
    if start > dynptr.size or end > dynptr.size:
        return _ERANGE
    dynptr.offset += start
    dynptr.size = end - start
    return 0


def _clone(sim: Simulation, dynptr: SimulatedDynptr, made: SimulatedDynptr) -> int:
    made.set(dynptr.place, dynptr.size)
    made.offset, made.rdonly = dynptr.offset, dynptr.rdonly
    return 0 if dynptr.place is not None else _EINVAL


DYNPTR_HELPERS: dict[str, Callable[..., Any]] = {
    "bpf_dynptr_from_mem": _from_mem,
    "bpf_dynptr_from_skb": _from_packet,
    "bpf_dynptr_from_skb_meta": _from_meta,
    "bpf_dynptr_from_xdp": _from_packet,
    "bpf_ringbuf_reserve_dynptr": _reserve,
    "bpf_ringbuf_submit_dynptr": _finish(True),
    "bpf_ringbuf_discard_dynptr": _finish(False),
    "bpf_dynptr_read": _read,
    "bpf_dynptr_write": _write,
    "bpf_dynptr_copy": _copy,
    "bpf_dynptr_memset": _memset,
    "bpf_dynptr_adjust": _adjust,
    "bpf_dynptr_clone": _clone,
    "bpf_dynptr_size": lambda sim, dynptr: dynptr.size if dynptr.place is not None else _EINVAL,
    "bpf_dynptr_is_null": lambda sim, dynptr: dynptr.place is None,
    "bpf_dynptr_is_rdonly": lambda sim, dynptr: dynptr.place is not None and dynptr.rdonly,
}
