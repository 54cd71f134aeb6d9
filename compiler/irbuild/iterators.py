"""Loops over an iterator of the kernel, which lies in a slot of its own and is destroyed on every way out.

The verifier walks through iterations until one changes nothing that it knows, so what goes around is hidden from it as
in a loop that the kernel bounds (carried.py); the iterator's end is the loop's.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild.builder import Loop, Reservation
from pybpf.compiler.irbuild.calls import argument
from pybpf.compiler.irbuild.carried import begin_hiding, end_hiding, enter, repeat, restore
from pybpf.compiler.irbuild.followed import note_loop
from pybpf.compiler.irbuild.loops import finish_loop
from pybpf.compiler.irbuild.memory import Address, load, slot_at
from pybpf.compiler.irbuild.ringbuf import release
from pybpf.compiler.schema.types import PtrType, Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder

__all__ = ["for_each"]


def for_each(b: Builder, node: tree.ForEach) -> None:
    spec = node.iterator
    given = [argument(b, arg, "", None) for arg in node.args]
    place = slot_at(b, spec.name, spec.size).base
    b.emit(ops.CallKernel(spec.new.name, [place, *given], "int", "", b.span))
    reservation = Reservation(place, None, spec.destroy)
    b.reserved.append(reservation)
    was_hiding = begin_hiding(b)
    carried = enter(b, node)
    note_loop(b, node)
    head, body, again, after = (b.new_block(hint) for hint in ("each", "body", "next", "endfor"))
    other = b.new_block("else") if node.orelse else after
    b.jump(head)
    b.start(head, sealed=False)
    b.unfollowed.update([b.read_one(cell) for cell in carried.numbers])
    found = b.emit(ops.CallKernel(spec.next.name, [place], "ptr", "", b.span))
    b.test("ne", found, Const(0), body, other)
    b.start(body)
    restore(b, carried)
    element = b.guard(found)
    b.write(b.cells(node.var), _given(b, node, element))
    outer, b.loop = b.loop, Loop(after, again, len(b.reserved))
    was_in_loop, b.in_loop = b.in_loop, True
    b.statements(node.body)
    b.loop, b.in_loop = outer, was_in_loop
    b.go(again)
    b.start(again)
    if b.reachable:
        repeat(b, carried)
        b.jump(head)
    end_hiding(b, was_hiding)
    b.variables.seal(head)
    finish_loop(b, node.orelse, other, after)
    b.reserved.remove(reservation)
    if b.reachable:
        b.span = node.span
        release(b, reservation)


def _given(b: Builder, node: tree.ForEach, element: Value) -> Value:
    """The element: the address of an object, or the number at the address."""
    if isinstance(node.var.type, PtrType):
        return element
    return load(b, Address(element, 0, Space.MAP), node.var.type)
