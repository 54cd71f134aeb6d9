"""A piece of a function's body as a function of its own, which a helper calls: the body of a loop.

    total = 0                           frame.total = 0
    for i in range(n):                  bpf_loop(n, f_body1, &frame, 0)      static f_body1(i, frame):
        total += i            =>        total = frame.total                      frame.total += i
        if total > 9:                   if frame.way == LEAVE: goto after        if frame.total > 9:
            break                                                                    frame.way = LEAVE; return 1
                                                                                 return 0

What the body reads of the function around it comes through a frame on that function's stack, and so does what it
assigns, if anyone reads that later; only what is really needed is put there. The body ends in one of five `way`s, which
the function around it follows when the helper returns: so `break`, `continue`, `return` and `else` mean what they mean
in any loop.

Numbers that the body changes are hidden in the frame: the verifier may look at one round only (kernels before 6.7
do), and must not take what that leaves for what all leave. References are put there as they are.
"""

from __future__ import annotations

from pybpf.compiler.frontend.longloops import assigned, is_on_stack, outside
from pybpf.compiler.ir import ops
from pybpf.compiler.ir.function import Function
from pybpf.compiler.ir.ops import Const, Param, Value
from pybpf.compiler.irbuild.builder import FRAME, Builder, Inlined, Loop
from pybpf.compiler.irbuild.carried import begin_hiding, end_hiding, hidden, is_address, near_start
from pybpf.compiler.irbuild.entry import finish
from pybpf.compiler.irbuild.places import packet_start
from pybpf.compiler.irbuild.ssa import Cell
from pybpf.compiler.schema.record import Record, factory
from pybpf.compiler.schema.types import I32, U32, U64, PtrType, Space, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from pybpf.compiler.frontend import tree
    from pybpf.compiler.ir.function import Block, Slot

    Given: TypeAlias = tuple[str, str, Type]  # a parameter: its name, the kind of its value, the type in BTF

__all__ = ["DONE", "GO_ON", "INDEX", "Body", "outlined"]

GO_ON, LEAVE, RETURN, FAIL, DONE = range(5)  # the ways on which a round ends
_WAY, _CONTEXT, _FIRST = 0, 8, 16  # offsets in the frame

INDEX: Given = ("index", "int", U32)  # bpf_loop's parameter


class Body(Record, eq=False):
    """The body as a function, with the builder that is inside it.

    `offsets`: where cells are in the frame. `changing`: the cells of variables that the body assigns; `addresses`:
    those of them that hold an address in the packet, and are in the frame as its distance from the packet's start.
    `ways`: those on which a round may end.
    """

    inner: Builder
    params: list[Param]
    frame: Param
    changing: dict[Cell, tree.Var]
    exit: Block
    offsets: dict[Cell, int] = factory(dict)
    addresses: set[Cell] = factory(set)
    way: Cell = factory(lambda: Cell("way"))
    ways: set[int] = factory(set)
    uses_context: bool = True

    def end(self, way: int) -> None:
        """End the round."""
        b = self.inner
        if b.reachable:
            self.ways.add(way)
            b.write((self.way,), Const(way))
            b.jump(self.exit)

    def place(self, cell: Cell) -> int:
        return self.offsets.setdefault(cell, _FIRST + 8 * len(self.offsets))

    def capture(self, cell: Cell) -> Value:
        """What the cell holds at the beginning of a round."""
        kind = "int" if cell in self.addresses else cell.kind
        load = ops.Load(self.frame, self.place(cell), 64, False, kind, False, cell.name, self.inner.span)
        self.inner.unfollowed.add(load)
        self.inner.function.blocks[0].ops.insert(1, load)
        return load


def outlined(
    b: Builder, loop: tree.While | tree.ForRange | tree.ForMap | tree.ForHelper, params: Sequence[Given],
    build: Callable[[Body], None], call: Callable[[Value, Value], None], spent: Callable[[], None],
    other: Block, after: Block,
) -> None:  # fmt: skip
    """Make `build` a function that `call` (given its address and the frame's) has called, and go on where it ends.

    Its parameters are `params` and the frame. `spent` goes on after the last round, if that would have gone on; the way
    DONE leads to `other`, and `break` to `after`.
    """
    was_hiding = begin_hiding(b)
    body = _open(b, loop, params)
    inner = body.inner
    inner.hiding = True
    blocks = {GO_ON: inner.new_block("continue"), LEAVE: inner.new_block("break"), RETURN: inner.new_block("return")}
    result = _result(b)
    inner.inlined = Inlined(result, blocks[RETURN], 0)
    inner.loop = Loop(blocks[LEAVE], blocks[GO_ON], 0)
    inner.failing = lambda: body.end(FAIL)
    build(body)
    body.end(GO_ON)
    for way, block in blocks.items():
        inner.start(block)
        body.end(way)
    saved = _close(b, loop, body, result)
    slot = b.temporary(FRAME, _FIRST + 8 * len(body.offsets))
    frame = _fill_frame(b, body, slot)
    call(b.emit(ops.FuncAddr(inner.function.name, "", b.span)), frame)
    _read_frame(b, body, frame, saved)
    end_hiding(b, was_hiding)
    said = b.load(frame, _WAY, 64)
    b.give_back(slot)
    _follow(b, body, said, result, other, after)
    spent()


def _open(b: Builder, loop: tree.Stmt, params: Sequence[Given]) -> Body:
    given = [Param(i, kind, name) for i, (name, kind, _) in enumerate(params)]
    frame = Param(len(given), "ptr", "frame")
    function = Function(
        b.shared.fresh(f"{b.function.name}_body"), ".text", [*given, frame], static=True, result=I32,
        param_types=(*[shown for _, _, shown in params], PtrType(U64, Space.STACK)), span=loop.span,
    )  # fmt: skip
    context = ops.Load(frame, _CONTEXT, 64, False, "ptr", False, "ctx", loop.span)
    inner = Builder(function, b.program, b.tables, b.shared, context)
    inner.default_return = b.default_return
    inner.emit(context)
    inner.share_cells(b)
    inner.unfollowed.update(given)
    inner.span = loop.span
    changing = {cell: var for var in assigned([loop]) for cell in b.cells(var)}
    body = Body(inner, given, frame, changing, inner.new_block("exit"))
    inner.variables.capture = body.capture
    for cell, var in changing.items():
        if is_address(var) and cell in b.variables.written:
            body.addresses.add(cell)
            inner.write((cell,), near_start(inner, body.capture(cell), cell.name))
    return body


def _result(b: Builder) -> tuple[Cell, ...]:
    """The cells for the value of a `return` in the body."""
    if b.inlined is not None and b.inlined.other is None:
        return b.inlined.cells
    made = (b.new_cell("result"),)
    b.write(made, Const(b.default_return))
    return made


def _close(b: Builder, loop: tree.Stmt, body: Body, result: tuple[Cell, ...]) -> list[Cell]:
    """Build the function's end. Returns the cells that it leaves in the frame for others to read."""
    inner = body.inner
    inner.start(body.exit)
    assert inner.reachable and b.source is not None
    wanted = {cell for var in outside(b.source.body, loop) for cell in b.cells(var)}
    wanted.update(result)
    gone = {cell for cell, var in body.changing.items() if is_on_stack(var)}  # with the body's own frame
    written = [cell for cell in inner.variables.written if cell not in gone]
    saved = [cell for cell in written if cell in body.offsets or cell in wanted]
    for cell in saved:
        cell.loose = True
        value = inner.read_one(cell)
        if cell in body.addresses:
            value = inner.emit(ops.Binary("sub", value, packet_start(inner), 64, "", inner.span))
        elif cell.kind == "int" and cell not in result:  # a program's result must be seen to be one that it may give
            value = hidden(inner, value)
        inner.store(body.frame, body.place(cell), 64, value)
    way = inner.read_one(body.way)
    inner.store(body.frame, _WAY, 64, way)
    inner.leave(inner.emit(ops.Cmp("ne", way, Const(GO_ON), 64, "", inner.span)))
    finish(inner)
    body.uses_context = any(inner.context in op.args() for op in inner.function.ops())
    b.packet_moves = b.packet_moves or inner.packet_moves
    b.shared.bodies.append(inner.function)
    return saved


def _fill_frame(b: Builder, body: Body, slot: Slot) -> Value:
    """Put what the body reads on the stack; returns the address."""
    frame = b.slot_address(slot)
    b.store(frame, _WAY, 64, Const(GO_ON))
    b.store(frame, _CONTEXT, 64, b.context if body.uses_context else Const(0))
    for cell, offset in body.offsets.items():
        value = b.read_one(cell)
        if cell in body.addresses:
            value = b.emit(ops.Binary("sub", value, packet_start(b), 64, "", b.span))
        elif cell in body.changing and cell.kind == "int":
            value = hidden(b, value)
        b.store(frame, offset, 64, value)
    return frame


def _read_frame(b: Builder, body: Body, frame: Value, saved: list[Cell]) -> None:
    """Take over what the body has assigned."""
    for cell in saved:
        kind = "int" if cell in body.addresses else cell.kind
        value: Value = b.emit(ops.Load(frame, body.offsets[cell], 64, False, kind, False, cell.name, b.span))
        b.unfollowed.add(value)
        if cell in body.addresses:
            value = near_start(b, value, cell.name)
        b.write((cell,), value)


def _follow(b: Builder, body: Body, way: Value, result: tuple[Cell, ...], other: Block, after: Block) -> None:
    """Go where the last round said, if it did not say to go on."""
    for number in sorted(body.ways - {GO_ON}):
        target = {LEAVE: after, DONE: other}.get(number) or b.new_block("return" if number == RETURN else "fail")
        rest = b.new_block("way")
        b.test("eq", way, Const(number), target, rest)
        if number in (RETURN, FAIL):
            b.start(target)
            if number == FAIL:
                b.fail()
            else:
                _return(b, result)
        b.start(rest)


def _return(b: Builder, result: tuple[Cell, ...]) -> None:
    frame = b.inlined
    b.release_to(frame.reserved if frame is not None else 0)
    if frame is None:
        b.leave(b.read_one(result[0]))
    elif frame.other is not None:
        b.test("ne", b.read_one(result[0]), Const(0), frame.after, frame.other)
    else:
        b.jump(frame.after)
