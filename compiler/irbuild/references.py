"""References that a call acquires: kept track of, so that no way out of the program keeps one.

The frontend sees to it that the program releases what it acquired. The exits that lowering itself makes (an array's
slot that is not there) release what is held at that point; a `with releasing(...)` block does so on every way out.
"""

from __future__ import annotations

from pybpf.compiler.frontend.kinds import is_dynptr
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild.builder import Held, Reservation, kind_of
from pybpf.compiler.irbuild.ringbuf import release
from pybpf.compiler.irbuild.ssa import Cell
from pybpf.compiler.schema.specs import HelperSpec
from pybpf.compiler.schema.types import OptionalType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder, Lowered
    from pybpf.compiler.schema.specs import KfuncSpec

__all__ = ["acquire", "give_back", "release_call", "release_held", "with_acquire"]


def give_back(b: Builder, spec: HelperSpec | KfuncSpec, value: Value) -> None:
    """Call what releases a reference that is there."""
    if isinstance(spec, HelperSpec):
        flags = [Const(0)] * (len(spec.args) - 1)  # of the ring buffer's
        b.call((spec.name, spec.id), value, *flags)
        return
    more = spec.release if "acquire" in spec.flags else None
    given = [value] if spec.params else []  # what ends a region takes nothing
    made = b.emit(ops.CallKernel(spec.name, given, "void" if more is None else "ptr", "", b.span))
    if more is not None:  # it gives another reference in the place of this one, or NULL
        some, done = b.new_block("another"), b.new_block("released")
        b.test("ne", made, Const(0), some, done)
        b.start(some)
        give_back(b, more, b.guard(made))
        b.jump(done)
        b.start(done)


def acquire(b: Builder, node: tree.Acquire) -> Lowered:
    """The call; from here on what it gave is held."""
    start = len(b.acquired)
    lowered = b.lower(node.value)
    value: Value = lowered if isinstance(lowered, Value) else Const(1)
    if node.place is not None:
        value = b.value(node.place)
    for span in b.acquired[start:]:  # what an inlined function acquired it released, or it is this result
        b.write((b.held[span].open,), Const(0))
    b.acquired.append(node.span)
    held = b.held.get(node.span)
    if held is None:
        kind = node.type if node.place is None else node.place.type
        held = b.held[node.span] = Held(Cell("", kind_of(kind)), Cell(""), node.release, is_dynptr(kind))
        entry = b.function.blocks[0]
        if entry is not b.block:  # on ways that don't come by here nothing is held
            b.variables.write(entry, held.value, Const(0))
            b.variables.write(entry, held.open, Const(0))
    b.write((held.value,), value)
    b.write((held.open,), Const(1))
    return lowered


def release_call(b: Builder, node: tree.Release) -> Lowered:
    """A call that releases what one of these calls acquired."""
    value = b.lower(node.value)
    for span in node.of:
        if span in b.held:
            b.write((b.held[span].open,), Const(0))
    return value


def release_held(b: Builder) -> None:
    """Release what is held here, on a way out that the program does not know of."""
    for held in list(b.held.values())[::-1]:
        given, some, done = b.new_block("held"), b.new_block("release"), b.new_block("released")
        b.test("ne", b.read_one(held.open), Const(0), given, done)
        b.start(given)
        if b.reachable:
            value = b.read_one(held.value)
            if held.certain:
                b.jump(some)
            else:
                b.test("ne", value, Const(0), some, done)
            b.start(some)
            if b.reachable:
                give_back(b, held.release, b.guard(value) if value.kind == "ptr" else value)
                b.jump(done)
        b.start(done)


def with_acquire(b: Builder, node: tree.WithAcquire) -> None:
    """As with_reserve in ringbuf.py: whether there is one is kept as a number of its own."""
    before, b.span = b.span, node.acquire.span
    lowered = b.lower(node.acquire)
    record: Value = lowered if isinstance(lowered, Value) else Const(1)
    b.write(b.cells(node.var), record)
    if node.discards is not None:
        taken = Cell("")
        b.write((taken,), Const(1))
        reservation = b.records[node.var] = Reservation(record, taken, node.release, discards=node.discards)
    elif not isinstance(node.var.type, OptionalType):
        reservation = Reservation(record, None, node.release)
    else:
        is_open = Cell("")
        some, none, done = b.new_block("acquired"), b.new_block("none"), b.new_block("with")
        b.test("ne", record, Const(0), some, none)
        b.start(none)
        b.write((is_open,), Const(0))
        b.write(b.cells(node.var), Const(0))
        b.jump(done)
        b.start(some)
        b.write((is_open,), Const(1))
        b.write(b.cells(node.var), b.guard(record))
        b.jump(done)
        b.start(done)
        reservation = Reservation(record, is_open, node.release)
    b.span = before
    b.reserved.append(reservation)
    b.statements(node.body)
    b.reserved.pop()
    if b.reachable:
        b.span = node.span
        release(b, reservation)
