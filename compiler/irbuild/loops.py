"""Loops: `while`, `for` over a range, and how they are left."""

from __future__ import annotations

from pybpf.compiler.frontend import ranges, tree
from pybpf.compiler.frontend.longloops import CALLBACK, MOST
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.arith import compare
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild import kernel
from pybpf.compiler.irbuild.arithmetic import is_signed
from pybpf.compiler.irbuild.builder import Loop
from pybpf.compiler.irbuild.carried import begin_hiding, end_hiding, enter, hidden, may_go_on, measured, repeat
from pybpf.compiler.irbuild.followed import note_loop
from pybpf.compiler.irbuild.outline import DONE, INDEX, outlined
from pybpf.compiler.irbuild.places import bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybpf.compiler.ir.function import Block
    from pybpf.compiler.irbuild.builder import Builder
    from pybpf.compiler.irbuild.carried import Carried
    from pybpf.compiler.irbuild.outline import Body

__all__ = ["break_", "continue_", "finish_loop", "for_range", "while_"]


def while_(b: Builder, node: tree.While) -> None:
    if node.bound == CALLBACK:
        _called_while(b, node)
        return
    head, body, after = b.new_block("while"), b.new_block("body"), b.new_block("endwhile")
    other = b.new_block("else") if node.orelse else after
    again = b.new_block("again") if node.bound else head
    was_hiding = begin_hiding(b) if node.bound else b.hiding
    carried = enter(b, node) if node.bound else None
    note_loop(b, node)
    b.jump(head)
    b.start(head, sealed=False)
    if carried is not None:
        may_go_on(b, carried)
    elif node.limit:
        measured(b, node)
    was_in_loop, b.in_loop = b.in_loop, True
    b.branch(node.test, body, other)
    b.in_loop = was_in_loop
    b.start(body)
    _loop_body(b, node.body, Loop(after, again, len(b.reserved)))
    b.go(again)
    if carried is not None:
        _repeat(b, carried, again, head)
    end_hiding(b, was_hiding)
    b.variables.seal(head)
    finish_loop(b, node.orelse, other, after)


def _called_while(b: Builder, node: tree.While) -> None:
    """The same for a kernel that has no instruction to count with: bpf_loop() calls the body."""
    after = b.new_block("endwhile")
    other = b.new_block("else") if node.orelse else after

    def build(body: Body) -> None:
        inner = body.inner
        begin, done = inner.new_block("body"), inner.new_block("done")
        inner.branch(node.test, begin, done)
        inner.start(done)
        body.end(DONE)
        inner.start(begin)
        inner.statements(node.body)

    def call(function: Value, frame: Value) -> None:
        b.call(kernel.LOOP, Const(MOST), function, frame, Const(0))

    outlined(b, node, [INDEX], build, call, b.fail, other, after)
    finish_loop(b, node.orelse, other, after)


def _called_range(b: Builder, node: tree.ForRange) -> None:
    """bpf_loop() counts from 0; more rounds than it takes end the program when those are done."""
    signed, up = is_signed(node.var.type), node.step > 0
    start, stop = b.value(node.start), b.value(node.stop)
    after, enter_ = b.new_block("endfor"), b.new_block("enter")
    other = b.new_block("else") if node.orelse else after
    b.test(("s" if signed else "u") + ("lt" if up else "gt"), start, stop, enter_, other)
    b.start(enter_)
    if not b.reachable:
        finish_loop(b, node.orelse, other, after)
        return
    first = b.new_cells(node.var.type, "start")
    b.write(first, start)
    count = _rounds(b, start, stop, node.step)
    most, exact, ready = b.new_block("most"), b.block, b.new_block("rounds")
    b.test("ugt", count, Const(MOST), most, ready)
    b.start(most)
    b.jump(ready)
    b.start(ready)
    rounds = b.phi([(exact, count), (most, Const(MOST))])

    def build(body: Body) -> None:
        inner = body.inner
        number: Value = body.params[0]
        if node.step != 1:
            number = inner.emit(ops.Binary("mul", number, Const(node.step), 64, "", inner.span))
        begin = start if type(start) is Const else inner.read_one(first[0])
        inner.write(inner.cells(node.var), inner.emit(ops.Binary("add", begin, number, 64, "", inner.span)))
        inner.statements(node.body)

    def call(function: Value, frame: Value) -> None:
        b.call(kernel.LOOP, rounds, function, frame, Const(0))

    def spent() -> None:
        too_many = b.new_block("too_many")
        b.test("ugt", count, Const(MOST), too_many, other)
        b.start(too_many)
        b.fail()

    outlined(b, node, [INDEX], build, call, spent, other, after)
    finish_loop(b, node.orelse, other, after)


def _rounds(b: Builder, start: Value, stop: Value, step: int) -> Value:
    """How often a loop goes round that goes round at least once."""
    if step < 0:
        start, stop, step = stop, start, -step
    distance: Value
    if type(start) is Const and type(stop) is Const:
        return Const((stop.value - start.value + step - 1) // step)
    distance = b.emit(ops.Binary("sub", stop, start, 64, "", b.span))
    if step == 1:
        return distance
    less = b.emit(ops.Binary("sub", distance, Const(1), 64, "", b.span))
    whole = b.emit(ops.Binary("udiv", less, Const(step), 64, "", b.span))
    return b.emit(ops.Binary("add", whole, Const(1), 64, "", b.span))


def _repeat(b: Builder, carried: Carried, again: Block, head: Block) -> None:
    b.start(again)
    if b.reachable:
        repeat(b, carried)
        b.jump(head)


def _loop_body(b: Builder, body: Sequence[tree.Stmt], loop: Loop) -> None:
    outer, b.loop = b.loop, loop
    was_in_loop, b.in_loop = b.in_loop, True
    b.statements(body)
    b.loop, b.in_loop = outer, was_in_loop


def finish_loop(b: Builder, orelse: Sequence[tree.Stmt], other: Block, after: Block) -> None:
    if orelse:
        b.start(other)
        b.statements(orelse)
        b.go(after)
    b.start(after)


def for_range(b: Builder, node: tree.ForRange) -> None:
    """A test in front of the loop (none, if the first iteration is certain), and one behind each iteration.

    The iteration has a counter of its own. Where adding the step might overflow, a second test sees that it did. (The
    first is what the verifier counts iterations by; where the start is constant it decides the second by itself.)
    """
    if node.bound:
        (_called_range if node.bound == CALLBACK else _long_range)(b, node)
        return
    note_loop(b, node)
    signed = is_signed(node.var.type)
    start, stop = b.value(node.start), b.value(node.stop)
    if node.most[0] is not None:
        start = bounded(b, start, node.most[0] + 1)
    if node.most[1] is not None:
        stop = bounded(b, stop, node.most[1] + 1)
    counter = b.new_cells(node.var.type, node.var.name)
    body, again, onward, after = (b.new_block(h) for h in ("for", "next", "step", "endfor"))
    other = b.new_block("else") if node.orelse else after
    pred = ("s" if signed else "u") + ("lt" if node.step > 0 else "gt")
    b.write(counter, start)
    if type(start) is not Const:
        b.lost.update(counter)
    if not (type(start) is Const and type(stop) is Const and compare(pred, start.value, stop.value, 64)):
        enter = b.new_block("enter")
        b.test(pred, start, stop, enter, other)
        b.start(enter)
    b.jump(body)
    b.start(body, sealed=False)
    index = b.read_one(counter[0])
    if type(start) is Const and type(stop) is Const:
        b.counters.add(index)
    b.write(b.cells(node.var), index)
    if node.limit:
        measured(b, node)
    _loop_body(b, node.body, Loop(after, again, len(b.reserved)))
    b.go(again)
    b.start(again)
    b.span = node.span
    following = b.emit(ops.Binary("add", index, Const(node.step), 64, "", b.span))
    if abs(node.step) == 1 or _fits(node):
        b.test(pred, following, stop, onward, other)
    else:
        whole = b.new_block("next.whole")
        b.test(pred, following, stop, whole, other)
        b.start(whole)
        b.test(("s" if signed else "u") + ("gt" if node.step > 0 else "lt"), following, index, onward, other)
    b.start(onward)
    b.write(counter, following)
    b.jump(body)
    b.variables.seal(body)
    finish_loop(b, node.orelse, other, after)


def _long_range(b: Builder, node: tree.ForRange) -> None:
    """The same with the test in front of each iteration, behind the one that counts for the kernel."""
    start, stop = b.value(node.start), b.value(node.stop)
    was_hiding = begin_hiding(b)
    carried = enter(b, node)
    note_loop(b, node)
    counter = b.new_cells(node.var.type, node.var.name)
    b.write(counter, hidden(b, start))
    carried.numbers += counter
    head, body, again, after = (b.new_block(h) for h in ("for", "body", "next", "endfor"))
    other = b.new_block("else") if node.orelse else after
    b.jump(head)
    b.start(head, sealed=False)
    may_go_on(b, carried)
    index = b.read_one(counter[0])
    order = "s" if is_signed(node.var.type) else "u"
    b.test(order + ("lt" if node.step > 0 else "gt"), index, stop, body, other)
    b.start(body)
    b.write(b.cells(node.var), index)
    _loop_body(b, node.body, Loop(after, again, len(b.reserved)))
    b.go(again)
    b.start(again)
    if b.reachable:
        b.span = node.span
        repeat(b, carried)
        following = b.emit(ops.Binary("add", index, Const(node.step), 64, "", b.span))
        b.write(counter, hidden(b, following))
        if abs(node.step) != 1 and not _fits(node):
            onward = b.new_block("step")
            b.test(order + ("gt" if node.step > 0 else "lt"), following, index, onward, other)
            b.start(onward)
        b.jump(head)
    end_hiding(b, was_hiding)
    b.variables.seal(head)
    finish_loop(b, node.orelse, other, after)


def _fits(node: tree.ForRange) -> bool:
    """Whether the counter can take a step from in front of any stop without leaving 64 bits."""
    low, high = _interval(node.stop)
    limits = ranges.of_type(node.var.type)
    return limits[0] <= low + node.step and high + node.step <= limits[1]


def _interval(node: tree.Expr) -> ranges.Interval:
    """The values that an int expression can have, by its types and constants alone."""
    if isinstance(node, tree.Const):
        return node.value, node.value
    if isinstance(node, tree.Convert):
        return ranges.wrap(_interval(node.value), node.type)
    if isinstance(node, tree.Binary):
        return ranges.arithmetic(node.op, _interval(node.lhs), _interval(node.rhs), ranges.of_type(node.type))
    return ranges.of_type(node.type)


def break_(b: Builder, node: tree.Break) -> None:
    assert b.loop is not None
    b.release_to(b.loop.reserved)
    b.jump(b.loop.after)


def continue_(b: Builder, node: tree.Continue) -> None:
    assert b.loop is not None
    b.release_to(b.loop.reserved)
    b.jump(b.loop.again)
