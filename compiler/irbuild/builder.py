"""The state of building one program: the block being filled, variables, stack slots, what to do on leaving.

The modules beside this one are functions of a `Builder` and a node of the tree. They come back here for the nodes
inside: `value`, `optional`, `perform`, `branch` and `statements` look the function up in the tables of lowering.py.

Code that can't be reached (behind a return, on the dead side of a constant test) is built into blocks that no edge
leads to; those are never added to the function, so nobody has to ask.
"""

from __future__ import annotations

from pybpf.compiler.ir import ops
from pybpf.compiler.ir.arith import compare
from pybpf.compiler.ir.function import Block, Slot
from pybpf.compiler.ir.ops import Const, Value
from pybpf.compiler.irbuild.ssa import Cell, Variables
from pybpf.compiler.schema.record import Record, factory
from pybpf.compiler.schema.types import NoneType, OptionalType, PtrType, Space, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias, TypeVar

    from pybpf.compiler.frontend import tree
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import GlobalSpec, HelperSpec, KfuncSpec, ProgramSpec, Target

    OpT = TypeVar("OpT", bound=ops.Op)
    # What an expression lowers to: a number or an address, (present, value) of an Optional number, or no value.
    Lowered: TypeAlias = "Value | tuple[Value, Value] | None"

__all__ = ["FRAME", "Builder", "Held", "Inlined", "Loop", "Reservation", "Shared", "Tables", "is_pair", "kind_of"]


FRAME = "frame"  # the slot for what a function shares with a piece of it that is a function of its own


class Tables(Record, eq=False):
    """What lowers each class of node: to a value, to a branch, as a statement."""

    expressions: dict[type, Callable[..., Lowered]]
    conditions: dict[type, Callable[..., None]]
    statements: dict[type, Callable[..., None]]


class Shared(Record, eq=False):
    """What the programs of a module have in common: constant texts that the compiler itself puts in .rodata, and the
    subprograms built so far; `moving` are those after which pointers into the packet must be loaded again.
    """

    target: Target
    formats: dict[bytes, GlobalSpec] = factory(dict)
    externs: dict[str, GlobalSpec] = factory(dict)  # kernel functions whose existence is asked for
    subprograms: dict[tree.Subprogram, Function] = factory(dict)
    moving: set[tree.Subprogram] = factory(set)
    bodies: list[Function] = factory(list)  # pieces of functions that became functions of their own
    callbacks: dict[tree.Callback, Function] = factory(dict)
    taken: set[str] = factory(set)  # the object's symbols

    def fresh(self, name: str) -> str:
        """A symbol that begins with `name`."""
        number = 1
        while f"{name}{number}" in self.taken:
            number += 1
        self.taken.add(f"{name}{number}")
        return f"{name}{number}"


class Loop(Record, eq=False):
    """The innermost loop: where break and continue go, and how many reservations were open at its start."""

    after: Block
    again: Block
    reserved: int


class Inlined(Record, eq=False):
    """A function being inlined. `cells` take its result, then control goes to `after`.

    Where the call is a condition, `then` and `other` are its targets instead, and there are no cells.
    """

    cells: tuple[Cell, ...]
    after: Block
    reserved: int
    other: Block | None = None


class Reservation(Record, eq=False):
    """A ring-buffer record that must be submitted or discarded on every way out; or what `release` gives back; or a
    spin lock (`locked`) that must be released.

    `open` is 1 on paths where there is one; without it there always is. `discards` is what takes a dynptr back.
    """

    record: Value
    open: Cell | None = None
    release: HelperSpec | KfuncSpec | None = None
    locked: bool = False
    discards: HelperSpec | None = None


class Held(Record, eq=False):
    """A reference that a call acquired, as the program releases it itself. `open` is 1 where it has not yet.

    `certain`: it is never NULL, which the verifier does not see of a place on the stack.
    """

    value: Cell
    open: Cell
    release: HelperSpec | KfuncSpec
    certain: bool = False


def kind_of(type: Type) -> str:
    """The kind of SSA value for a scalar or (maybe null) reference. Addresses of the kernel, of user space and of
    arenas are mere numbers.
    """
    if isinstance(type, OptionalType):
        type = type.inner
    if isinstance(type, PtrType) and type.space not in (Space.KERNEL, Space.USER, Space.ARENA):
        return "ptr"
    return "int"


def is_pair(type: Type) -> bool:
    """Whether values of the type are (present, value): an Optional that has no null address to stand for None."""
    return isinstance(type, OptionalType) and not (
        isinstance(type.inner, PtrType) and type.inner.space not in (Space.KERNEL, Space.USER)
    )


class Builder:
    """Builds `function`; `context` is its first parameter unless another is given."""

    def __init__(
        self, function: Function, program: ProgramSpec, tables: Tables, shared: Shared, context: Value | None = None
    ) -> None:
        self.function = function
        self.program = program
        self.shared = shared
        self.context: Value = function.params[0] if context is None else context
        self.default_return = program.default_return if function.program is not None else 0
        self.span: Span | None = function.span
        self.loop: Loop | None = None
        self.inlined: Inlined | None = None
        self.reserved: list[Reservation] = []
        self.held: dict[Span, Held] = {}  # references acquired, by the place of the call
        self.acquired: list[Span] = []  # those places, each time that one is lowered
        self.records: dict[tree.Var, Reservation] = {}
        self.state: list[tuple[tree.Var, Value]] = []  # a subprogram's: its caller's variables, and where they are
        self.source: tree.Function | None = None  # whose statements are being built
        self.failing: Callable[[], None] | None = None  # how a piece of a function ends the program
        self.unfollowed: set[Value] = set()  # numbers that the verifier knows nothing of
        self.counters: set[Value] = set()  # of loops over constant ranges that it follows
        self.lost: set[Cell | None] = set()  # what the loops being built give such numbers to
        self.hiding = False  # inside a loop that the kernel bounds, where `zero` holds what hides numbers
        self.zero = Cell("zero")
        self.in_loop = False
        self.missing: Block | None = None  # where to go on if the array's slot looked up next is not there
        self.context_loads: list[ops.Load] = []
        self.packet_moves = False  # a helper was called after which pointers into the packet must be loaded again
        self.tables = tables
        self._labels: dict[str, int] = {"entry": 1}
        self._cells: dict[tree.Var, tuple[Cell, ...]] = {}
        self._free_slots: list[Slot] = []
        self._statement_slots: list[Slot] = []
        self._call_slots: list[Slot] = []
        self.block = Block("entry")
        function.blocks.append(self.block)
        self.variables = Variables(self.block)
        self.reachable = True

    # --- the tree

    def lower(self, node: tree.Expr) -> Lowered:
        before, self.span = self.span, node.span
        result = self.tables.expressions[type(node)](self, node)
        self.span = before
        return result

    def value(self, node: tree.Expr) -> Value:
        """Lower an expression whose value is one register."""
        result = self.lower(node)
        assert isinstance(result, Value), node
        return result

    def optional(self, node: tree.Expr) -> tuple[Value, Value]:
        """Lower an Optional number to (present, value)."""
        result = self.lower(node)
        assert isinstance(result, tuple), node
        return result

    def perform(self, node: tree.Expr) -> None:
        """Lower an expression for its effect."""
        self.lower(node)

    def branch(self, node: tree.Expr, then: Block, other: Block) -> None:
        """Go to `then` if the BOOL expression is true, else to `other`."""
        lower = self.tables.conditions.get(type(node))
        if lower is None:
            self.test("ne", self.value(node), Const(0), then, other)
            return
        before, self.span = self.span, node.span
        lower(self, node, then, other)
        self.span = before

    def statements(self, body: Sequence[tree.Stmt]) -> None:
        for statement in body:
            if not self.reachable:
                return
            self.span = statement.span
            temporary, self._statement_slots = self._statement_slots, []
            self.tables.statements[type(statement)](self, statement)
            self._free_slots += self._statement_slots
            self._statement_slots = temporary

    # --- blocks

    def new_block(self, hint: str) -> Block:
        """A block that is placed by `start`."""
        count = self._labels.get(hint, 0)
        self._labels[hint] = count + 1
        return Block(f"{hint}{count}" if count else hint)

    def start(self, block: Block, *, sealed: bool = True) -> None:
        """Go on in `block`; `sealed` when all jumps to it have been made."""
        if sealed:
            self.variables.seal(block)
        self.block = block
        self.reachable = bool(self.variables.predecessors.get(block))
        if self.reachable:
            self.function.blocks.append(block)

    def emit(self, op: OpT) -> OpT:
        self.block.ops.append(op)
        return op

    def jump(self, target: Block) -> None:
        self._edge(target)
        self._leave(ops.Jump(target, self.span))

    def go(self, target: Block) -> None:
        """Go on in `target`, if this place is reached."""
        if self.reachable:
            self.jump(target)

    def test(self, pred: str, lhs: Value, rhs: Value, then: Block, other: Block, width: int = 64) -> None:
        """Go to `then` if lhs `pred` rhs, else to `other`; a comparison of constants is decided here."""
        if type(lhs) is Const and type(rhs) is Const:
            self.jump(then if compare(pred, lhs.value & _MASK, rhs.value & _MASK, width) else other)
        elif then is other:
            self.jump(then)
        else:
            self._edge(then)
            self._edge(other)
            self._leave(ops.Branch(pred, lhs, rhs, then, other, width, self.span))

    def may_goto(self, then: Block, other: Block) -> None:
        """Go to `then`, or to `other` once the kernel has counted too many iterations."""
        self._edge(then)
        self._edge(other)
        self._leave(ops.MayGoto(then, other, self.span))

    def leave(self, value: Value) -> None:
        """Return from the function."""
        for var, place in self.state:
            self.emit(ops.Store(place, 0, 64, self.read_one(self.cells(var)[0]), self.span))
        self._leave(ops.Return(value, self.span))

    def _edge(self, target: Block) -> None:
        if self.reachable:
            self.variables.add_edge(self.block, target)

    def _leave(self, terminator: ops.Op) -> None:
        self.emit(terminator)
        self.block = Block("unreached")
        self.reachable = False

    # --- variables

    def cells(self, var: tree.Var) -> tuple[Cell, ...]:
        """The SSA variables that hold `var`."""
        found = self._cells.get(var)
        if found is None:
            found = self._cells[var] = self.new_cells(var.type, var.name)
        return found

    def share_cells(self, other: Builder) -> None:
        """Let variables be held by the same cells as in `other`, whose function this one is a piece of."""
        self._cells = other._cells
        self.zero = other.zero
        self.source = other.source

    def new_cells(self, type: Type, name: str = "") -> tuple[Cell, ...]:
        if isinstance(type, NoneType):
            return ()
        if is_pair(type):
            return Cell(f"{name}.present" if name else ""), Cell(name, kind_of(type))
        return (Cell(name, kind_of(type)),)

    def new_cell(self, name: str) -> Cell:
        return Cell(name)

    def write(self, cells: tuple[Cell, ...], lowered: Lowered) -> None:
        values = lowered if isinstance(lowered, tuple) else (lowered,)
        for cell, value in zip(cells, values):
            assert value is not None
            if cell.name and not value.name and type(value) is not Const:
                value.name = cell.name
            self.variables.write(self.block, cell, value)

    def read(self, cells: tuple[Cell, ...]) -> Lowered:
        self.variables.span = self.span
        values = tuple([self.variables.read(self.block, cell) for cell in cells])
        return None if not values else values[0] if len(values) == 1 else (values[0], values[1])

    def read_one(self, cell: Cell) -> Value:
        return self.variables.read(self.block, cell)

    # --- stack slots

    def slot(self, name: str, size: int) -> Slot:
        """A slot that lives as long as the function being inlined, or the program."""
        slot = self._take(name, size)
        self._call_slots.append(slot)
        return slot

    def temporary(self, name: str, size: int) -> Slot:
        """A slot for the statement in hand only."""
        slot = self._take(name, size)
        self._statement_slots.append(slot)
        return slot

    def give_back(self, slot: Slot) -> None:
        """The statement in hand does not need its temporary any more."""
        self._statement_slots.remove(slot)
        self._free_slots.append(slot)

    def enter_call(self) -> list[Slot]:
        """Slots taken from here on belong to an inlined call; give the result to `leave_call`."""
        outer, self._call_slots = self._call_slots, []
        return outer

    def leave_call(self, outer: list[Slot], *, refers: bool) -> None:
        """`refers`: the result may be a reference to one of the call's slots, which so live on."""
        if refers:
            outer += self._call_slots
        else:
            self._free_slots += self._call_slots
        self._call_slots = outer

    def _take(self, name: str, size: int) -> Slot:
        words = (size + 7) // 8  # slots are aligned to 8, so up to the next word size costs nothing
        fitting = [slot for slot in self._free_slots if (slot.size + 7) // 8 == words]
        if not fitting and name == FRAME:  # one grows, rather than that each loop has its own
            fitting = [slot for slot in self._free_slots if slot.name == FRAME]
        if fitting:
            slot = next((slot for slot in fitting if slot.name == name), fitting[0])
            self._free_slots.remove(slot)
            slot.size = max(slot.size, size)
            return slot
        slot = Slot(name, size)
        self.function.slots.append(slot)
        return slot

    def slot_address(self, slot: Slot) -> Value:
        return self.emit(ops.SlotAddr(slot, span=self.span))

    # --- operations

    def phi(self, incoming: list[tuple[Block, Value]], kind: str = "int") -> Value:
        """The value that depends on the way here. Blocks that can't be reached are left out."""
        known = self.variables.predecessors.get(self.block, [])
        incoming = [(block, value) for block, value in incoming if block in known]
        if not incoming:
            return Const(0)
        if len(incoming) == 1:
            return incoming[0][1]
        phi = ops.Phi(incoming, kind, "", self.span)
        self.block.ops.insert(0, phi)
        return phi

    def guard(self, value: Value, kind: str = "ptr") -> Value:
        if type(value) in (ops.Guard, Const, ops.SlotAddr, ops.GlobalAddr):
            return value
        return self.emit(ops.Guard(value, kind, value.name, self.span))

    def there(self, addr: Value) -> Value:
        """The address to load from and store to: of the numbers among them, which are an arena's, the kernel's own."""
        if addr.kind == "int" and type(addr) is not Const:
            return self.emit(ops.ArenaCast(addr, addr.name, self.span))
        return addr

    def load(self, addr: Value, offset: int, bits: int, signed: bool = False, constant: bool = False) -> Value:
        return self.emit(ops.Load(self.there(addr), offset, bits, signed and bits < 64, "int", constant, "", self.span))

    def store(self, addr: Value, offset: int, bits: int, value: Value) -> None:
        while type(value) is ops.Extend and value.bits >= bits:
            value = value.value  # the store takes the low bits only
        if type(value) is Const:
            value = Const(value.value & (1 << bits) - 1 if bits < 64 else value.value)
        self.emit(ops.Store(self.there(addr), offset, bits, value, self.span))

    def add_to(self, base: Value, offset: int) -> Value:
        return self.emit(ops.PtrAdd(base, Const(offset), "", self.span)) if offset else base

    def call(self, helper: tuple[str, int], *arguments: Value, kind: str = "int") -> Value:
        """Call a kernel helper given as (name, number)."""
        name, number = helper
        return self.emit(ops.CallHelper(number, name, list(arguments), kind, "", self.span))

    # --- leaving early

    def release_to(self, count: int, *, discard: bool = False) -> None:
        """Release all but the `count` outermost reservations, on a way out of their blocks."""
        if len(self.reserved) > count:
            from pybpf.compiler.irbuild.ringbuf import release

            for reservation in reversed(self.reserved[count:]):
                release(self, reservation, discard=discard)

    def fail(self) -> None:
        """End the function with its default result, for what can't happen but the verifier can't know."""
        self.release_to(0, discard=True)
        if self.held:
            from pybpf.compiler.irbuild.references import release_held

            release_held(self)
        if self.failing is not None:
            self.failing()
        else:
            self.leave(Const(self.default_return))


_MASK = (1 << 64) - 1
