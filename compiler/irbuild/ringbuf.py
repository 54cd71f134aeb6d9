"""Ring buffers: `emit`, and `with ring.reserve() as record`.

The verifier refuses a program that can end with a reserved record neither submitted nor discarded. So the builder keeps
a list of the open reservations, and every way out (return, break, continue, the end of the block, and the exits that
lowering itself makes) releases those that it leaves.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.aggregates import MAKERS, construct, in_memory
from pybpf.compiler.irbuild.builder import Reservation
from pybpf.compiler.irbuild.maps import map_address
from pybpf.compiler.irbuild.memory import Address, clear
from pybpf.compiler.irbuild.ssa import Cell
from pybpf.compiler.irbuild.walk import has_effect
from pybpf.compiler.schema.types import Space, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.schema.specs import GlobalSpec, MapSpec

__all__ = ["discard", "emit", "release", "with_reserve"]


def _reserve(b: Builder, spec: MapSpec) -> Value:
    assert spec.value is not None
    ring = map_address(b, spec)
    return b.call(kernel.RINGBUF_RESERVE, ring, Const(size_of(spec.value)), Const(0), kind="ptr")


def _count(b: Builder, lost: GlobalSpec | None) -> None:
    """One more event that found no room, where they are counted."""
    if lost is not None:
        b.emit(ops.Atomic("add", b.emit(ops.GlobalAddr(lost.name, span=b.span)), 0, 64, Const(1), span=b.span))


def emit(b: Builder, node: tree.RingEmit) -> Value:
    """1 if the event was submitted, 0 if the ring buffer was full.

    An event made here is built in the reserved record, unless making it has effects, which must happen in any case.
    """
    spec = node.map
    assert spec.value is not None
    if type(node.value) not in MAKERS or has_effect(node.value):
        event = in_memory(b, node.value, spec.value, "event")
        ring = map_address(b, spec)
        size = Const(size_of(spec.value))
        result = b.call(kernel.RINGBUF_OUTPUT, ring, event, size, Const(0))
        sent = b.emit(ops.Cmp("eq", result, Const(0), 64, "", b.span))
        if spec.lost is not None:
            full, done = b.new_block("full"), b.new_block("emitted")
            b.test("ne", sent, Const(0), done, full)
            b.start(full)
            _count(b, spec.lost)
            b.jump(done)
            b.start(done)
        return sent
    record = _reserve(b, spec)
    start, room, done = b.block, b.new_block("reserved"), b.new_block("emitted")
    full = done if spec.lost is None else b.new_block("full")
    b.test("ne", record, Const(0), room, full)
    if spec.lost is not None:
        b.start(full)
        _count(b, spec.lost)
        start = b.block
        b.jump(done)
    b.start(room)
    record = b.guard(record)
    b.reserved.append(Reservation(record))
    construct(b, Address(record, 0, Space.RINGBUF), spec.value, node.value, fresh=True)
    b.reserved.pop()
    b.call(kernel.RINGBUF_SUBMIT, record, Const(0))
    end = b.block
    b.jump(done)
    b.start(done)
    return b.phi([(start, Const(0)), (end, Const(1))])


def with_reserve(b: Builder, node: tree.WithReserve) -> None:
    """The record starts as zeroes. Whether there is one is kept as a number of its own, which the verifier knows on
    each path: a second test of the address for null would make older kernels think of a path that loses the record."""
    spec = node.reserve.map
    assert spec.value is not None
    before, b.span = b.span, node.reserve.span
    record = _reserve(b, spec)
    cells = b.cells(node.var)
    is_open = (Cell(""),)
    room, full, done = b.new_block("reserved"), b.new_block("full"), b.new_block("with")
    b.test("ne", record, Const(0), room, full)
    b.start(full)
    _count(b, spec.lost)
    b.write(is_open, Const(0))
    b.write(cells, Const(0))
    b.jump(done)
    b.start(room)
    given = b.guard(record)
    clear(b, Address(given, 0, Space.RINGBUF), size_of(spec.value))
    b.write(is_open, Const(1))
    b.write(cells, given)
    b.jump(done)
    b.start(done)
    b.span = before
    reservation = Reservation(record, is_open[0])
    b.reserved.append(reservation)
    b.records[node.var] = reservation
    b.statements(node.body)
    b.reserved.pop()
    if b.reachable:
        b.span = node.span
        release(b, reservation)


def discard(b: Builder, node: tree.Discard) -> None:
    reservation = b.records[node.var]
    assert reservation.open is not None
    _give_back(b, reservation, b.guard(reservation.record), True)
    b.write((reservation.open,), Const(0))


def release(b: Builder, reservation: Reservation, *, discard: bool = False) -> None:
    """Submit the record, if there is one that is still open."""
    if reservation.open is None:
        _give_back(b, reservation, reservation.record, discard)
        return
    there, done = b.new_block("submit"), b.new_block("released")
    b.test("ne", b.read_one(reservation.open), Const(0), there, done)
    b.start(there)
    _give_back(b, reservation, b.guard(reservation.record), discard)
    b.jump(done)
    b.start(done)


def _give_back(b: Builder, reservation: Reservation, record: Value, discard: bool) -> None:
    if reservation.locked:
        b.call(kernel.SPIN_UNLOCK, record, kind="void")
    elif reservation.release is not None:
        from pybpf.compiler.irbuild.references import give_back

        give_back(b, (discard and reservation.discards) or reservation.release, record)
    else:
        b.call(kernel.RINGBUF_DISCARD if discard else kernel.RINGBUF_SUBMIT, record, Const(0))
