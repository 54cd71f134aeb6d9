"""What a loop that the kernel bounds carries from one iteration to the next, in a form that the verifier can settle on.

    @entry:                                    @entry:
      ...                                        %i = hide 0
      jump @while                                jump @while
    @while:                                    @while:
      %1 = phi @entry: 0, @body: %2              %1 = phi @entry: %i, @body: %2
      br ult %1, %n, @body, @after       =>      may_goto @round, @spent
                                               @round:
                                                 br ult %1, %n, @body, @after

The verifier walks through iterations until one changes nothing that it knows. A counter that starts as 0 would be known
to be 1, then 2, and so on; one that starts as anything is anything from then on. It is hidden again at the end of each
iteration: where it was compared it would be known to be above a number, then above the next, and so on. And an address
in the packet, which would move on in each iteration, is kept as its distance from the packet's start.
"""

from __future__ import annotations

from pybpf.compiler.frontend.longloops import assigned
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild.places import packet_start
from pybpf.compiler.irbuild.ssa import Cell
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import PtrType, Space, is_arena_pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend import tree
    from pybpf.compiler.irbuild.builder import Builder

__all__ = [
    "Carried", "begin_hiding", "end_hiding", "enter", "hidden", "is_address", "may_go_on", "measured", "near_start",
    "repeat",
]  # fmt: skip

# How far from the packet's start an address may be carried. The verifier follows it to 65535 bytes (MAX_PACKET_OFF),
# which leaves an iteration room for a header and a skip.
_FARTHEST = 0xBFFF


class Carried(Record, eq=False):
    """What goes around: numbers, and packet addresses, each with the cell of its distance."""

    numbers: list[Cell]
    addresses: list[tuple[Cell, Cell]]
    farthest: int


def is_address(var: tree.Var) -> bool:
    """Whether the variable is an address in the packet, not of a header there."""
    kind = var.type
    return isinstance(kind, PtrType) and kind.space == Space.PACKET and kind.pointee is None


def begin_hiding(b: Builder) -> bool:
    """In front of a loop: see to it that there is a 0 to hide numbers with. Gives what `end_hiding` wants."""
    was_hiding = b.hiding
    if not was_hiding:
        b.write((b.zero,), b.emit(ops.Hide(Const(0), None, "", b.span)))
        b.hiding = True
    return was_hiding


def end_hiding(b: Builder, was_hiding: bool) -> None:
    b.hiding = was_hiding


def hidden(b: Builder, value: Value) -> Value:
    """`value`, of which the verifier knows nothing. (Each by itself: what is learnt of a copy is learnt of all.)"""
    return b.emit(ops.Hide(value, b.read_one(b.zero), value.name, b.span))


def enter(b: Builder, loop: tree.While | tree.ForRange | tree.ForEach) -> Carried:
    """In front of the loop."""
    numbers, addresses = [], []
    variables = dict.fromkeys(loop.carried)
    variables.update({var: None for var in assigned([loop]) if var.name.startswith("ctx.")})
    for var in variables:
        if is_address(var):
            address, distance = b.cells(var)[0], Cell(f"{var.name}.offset")
            addresses.append((address, distance))
            continue
        if is_arena_pointer(var.type):  # compared with 0 only, and read from memory: nothing to be followed
            continue
        for cell in b.cells(var):
            if cell.kind == "int":
                hide(b, cell)
                numbers.append(cell)
    carried = Carried(numbers, addresses, getattr(loop, "limit", 0) or _FARTHEST)
    _measure(b, carried)
    return carried


def hide(b: Builder, cell: Cell) -> None:
    b.write((cell,), hidden(b, b.read_one(cell)))


def _measure(b: Builder, carried: Carried) -> None:
    for address, distance in carried.addresses:
        away = ops.Binary("sub", b.read_one(address), packet_start(b), 64, "", b.span)
        b.write((distance,), b.emit(away))


def repeat(b: Builder, carried: Carried) -> None:
    """At the end of an iteration, which may have compared what it carries, and so told the verifier more of it."""
    for cell in carried.numbers:
        hide(b, cell)
    _measure(b, carried)


def may_go_on(b: Builder, carried: Carried) -> None:
    """At the beginning of an iteration: ends the program where the kernel says so."""
    b.unfollowed.update([b.read_one(cell) for cell in carried.numbers])
    begin, spent = b.new_block("round"), b.new_block("spent")
    b.may_goto(begin, spent)
    b.start(spent)
    b.fail()
    b.start(begin)
    restore(b, carried)


def restore(b: Builder, carried: Carried) -> None:
    """Make addresses of the distances. A packet that has been walked through so far is taken to be a broken one."""
    for address, distance in carried.addresses:
        b.write((address,), near_start(b, b.read_one(distance), address.name, carried.farthest))


def measured(b: Builder, loop: tree.While | tree.ForRange) -> None:
    """At the beginning of an iteration of a loop that the verifier follows: addresses in the packet, of which it has
    added up how far they may be, as that of where they are (walks.py).
    """
    for var in assigned([loop]):
        if is_address(var) and (var in loop.carried or var.name.startswith("ctx.")):
            address = b.cells(var)[0]
            away = b.emit(ops.Binary("sub", b.read_one(address), packet_start(b), 64, "", b.span))
            b.write((address,), near_start(b, away, address.name, loop.limit or _FARTHEST))


def near_start(b: Builder, away: Value, name: str, farthest: int = _FARTHEST) -> Value:
    """The address so many bytes behind the packet's start."""
    near, far = b.new_block("near"), b.new_block("far")
    b.test("ule", away, Const(farthest), near, far)
    b.start(far)
    b.fail()
    b.start(near)
    return b.emit(ops.PtrAdd(packet_start(b), b.guard(away, "int"), name, b.span))
