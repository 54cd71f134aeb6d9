"""Values and operations of the SSA form.

Every value is one 64-bit register. An operation of `width` 32 works on the low halves of its operands and leaves the
upper half of its result zero, as BPF's ALU32 instructions do; there are no other integer types. A value's `kind` is
"int" or "ptr" (an address that the verifier tracks: never stored as a number by accident, never added to another).

Operation classes are final: dispatch on `type(op)`. Each class says which fields are operands (`operands`) and

    pure        no effect and no trap: may be removed when unused, duplicated, or moved to any place that its
                operands dominate
    pinned      stays in its block, behind the branch that leads there (guards; memory reads through checked pointers)
    effect      changes memory or the world: never removed, reordered or duplicated
    terminator  ends a block

so that a pass never needs a list of classes. Arithmetic is the ISA's (RFC 9669 section 4.1): it wraps, x / 0 is 0,
x % 0 is x, shift counts are taken modulo the width, sdiv and smod truncate. arith.py computes it.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from pybpf.compiler.ir.function import Block, Slot
    from pybpf.compiler.schema.core import CoreFact
    from pybpf.compiler.schema.span import Span

__all__ = [
    "BINARY", "CALLS", "NEGATED", "PREDICATES", "SWAPPED", "ArenaCast", "Asm", "Atomic", "Binary", "Branch", "Call",
    "CallHelper", "CallKernel", "Cmp", "Const", "Extend", "ExternAddr", "FuncAddr", "GlobalAddr", "Guard", "Hide",
    "Jump", "Load", "MapAddr", "MayGoto", "Op", "Param", "Phi", "PtrAdd", "Relocated", "Return", "SlotAddr", "Store",
    "Swap", "ToInt", "Unreachable", "Value",
]  # fmt: skip

BINARY = ("add", "sub", "mul", "udiv", "umod", "sdiv", "smod", "and", "or", "xor", "shl", "lshr", "ashr")
PREDICATES = ("eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge", "set")  # set: lhs & rhs != 0

# The predicate that holds exactly when the other does not. ("set" has none in the ISA: branch targets swap instead.)
NEGATED = {
    "eq": "ne", "ne": "eq", "ult": "uge", "uge": "ult", "ule": "ugt", "ugt": "ule",
    "slt": "sge", "sge": "slt", "sle": "sgt", "sgt": "sle",
}  # fmt: skip
# The predicate that says the same with its operands exchanged.
SWAPPED = {
    "eq": "eq", "ne": "ne", "set": "set", "ult": "ugt", "ugt": "ult", "ule": "uge", "uge": "ule",
    "slt": "sgt", "sgt": "slt", "sle": "sge", "sge": "sle",
}  # fmt: skip


class _Carrier:
    """What every value has; each class says for itself whether it is a field or the same for all instances."""

    __slots__ = ()
    kind: str
    name: str


class Value(Record, _Carrier, eq=False):
    """Something an operation can use. `name` is the Python variable that it carries, or ""; it has no meaning."""


class Const(Value):
    """A 64-bit integer constant, kept as a signed Python int (-2**63 .. 2**63 - 1). It stands in no block."""

    value: int

    kind = "int"
    name = ""

    def __post_init__(self) -> None:
        self.value = (self.value + (1 << 63) & (1 << 64) - 1) - (1 << 63)


class Param(Value):
    """A parameter of the function: the context, or a subprogram's argument (R1..R5 by index)."""

    index: int
    kind: str = "int"
    name: str = ""


class _Placed:
    """What every operation has, as a field."""

    __slots__ = ()
    span: Span | None


class Op(Value, _Placed):
    """Base of the operations. `span` is the Python expression it comes from; `kind` is "void" without a result."""

    operands: ClassVar[tuple[str, ...]] = ()
    pure: ClassVar[bool] = False
    pinned: ClassVar[bool] = False
    effect: ClassVar[bool] = False
    terminator: ClassVar[bool] = False

    def args(self) -> list[Value]:
        """The values used, in a fixed order."""
        found = []
        for f in self.operands:  # a comprehension takes longer before Python 3.12
            found.append(getattr(self, f))
        return found

    def map_args(self, change: Callable[[Value], Value]) -> None:
        """Replace each used value `v` by `change(v)`, in place."""
        for f in self.operands:
            setattr(self, f, change(getattr(self, f)))

    def targets(self) -> list[Block]:
        """Successor blocks; empty for anything but a jump or a branch."""
        return []


class Phi(Op):
    """result = the value of the pair whose block control came from. Phis stand first, as one parallel copy."""

    incoming: list[tuple[Block, Value]]
    kind: str = "int"
    name: str = ""
    span: Span | None = None

    pure = True

    def args(self) -> list[Value]:
        return [value for _, value in self.incoming]

    def map_args(self, change: Callable[[Value], Value]) -> None:
        self.incoming = [(block, change(value)) for block, value in self.incoming]


class Binary(Op):
    """result = lhs `op` rhs, in `width` bits (one of BINARY)."""

    op: str
    lhs: Value
    rhs: Value
    width: int = 64
    name: str = ""
    span: Span | None = None

    kind = "int"
    operands = ("lhs", "rhs")
    pure = True


class PtrAdd(Op):
    """result = base + offset bytes: the same object, another place. The base is never a pointer that may be null."""

    base: Value
    offset: Value
    name: str = ""
    span: Span | None = None

    kind = "ptr"
    operands = ("base", "offset")
    pure = True


class Extend(Op):
    """result = the low `bits` (8, 16, 32) of value, zero-extended or, if `signed`, sign-extended, to 64 bits."""

    value: Value
    bits: int
    signed: bool
    name: str = ""
    span: Span | None = None

    kind = "int"
    operands = ("value",)
    pure = True


class Swap(Op):
    """result = the low `bits` (16, 32, 64) of value with their bytes in reverse order, zero-extended."""

    value: Value
    bits: int
    name: str = ""
    span: Span | None = None

    kind = "int"
    operands = ("value",)
    pure = True


class Cmp(Op):
    """result = 1 if lhs `pred` rhs else 0, compared in `width` bits (one of PREDICATES). Pointers compare at 64."""

    pred: str
    lhs: Value
    rhs: Value
    width: int = 64
    name: str = ""
    span: Span | None = None

    kind = "int"
    operands = ("lhs", "rhs")
    pure = True


class Guard(Op):
    """result = value, known to satisfy the branch that dominates this block: not null, inside the packet, in range.

    What was checked is used only through its guard, and a guard never leaves its block; so no pass can bring
    an access, or arithmetic on a pointer, in front of the check that makes it safe.
    """

    value: Value
    kind: str = "ptr"
    name: str = ""
    span: Span | None = None

    operands = ("value",)
    pinned = True


class Hide(Op):
    """result = value, which from here on the verifier knows nothing of.

    It gives up on a loop that it has not to count itself (MayGoto, a callback) only once a round changes nothing that
    it knows: a counter that starts as a known 0 would be 1, then 2, and so on. `zero` is the result of another Hide, of
    0: with it one instruction does; without it a word of the stack is needed, and an atomic instruction.
    """

    value: Value
    zero: Value | None = None
    name: str = ""
    span: Span | None = None

    kind = "int"
    pure = True

    def args(self) -> list[Value]:
        return [self.value] if self.zero is None else [self.value, self.zero]

    def map_args(self, change: Callable[[Value], Value]) -> None:
        self.value = change(self.value)
        if self.zero is not None:
            self.zero = change(self.zero)


class Load(Op):
    """result = `bits` (8..64) of memory at addr + offset, zero-extended, or sign-extended if `signed`.

    `kind` is "ptr" where the verifier gives a pointer (packet bounds in a context, pointers in kernel objects).
    `constant`: the memory never changes while the program runs (context fields, .rodata): equal loads are equal.
    `core`: the offset is that of a member of a kernel struct, at whose start `addr` points, and the loader adapts it.
    """

    addr: Value
    offset: int
    bits: int
    signed: bool = False
    kind: str = "int"
    constant: bool = False
    name: str = ""
    span: Span | None = None
    core: CoreFact | None = None

    operands = ("addr",)
    pinned = True


class Relocated(Op):
    """result = what holds of the running kernel: `fact.value`, until the loader puts in what is so there.

    Where the fact is about what the running kernel lacks, the loader makes the instruction one that the verifier
    refuses if it can be reached; so it stays behind the branch that asked whether it exists.
    """

    fact: CoreFact
    name: str = ""
    span: Span | None = None

    kind = "int"
    pinned = True


class ToInt(Op):
    """result = the address in a pointer, as a number: of no object for the verifier, so any arithmetic may be done."""

    value: Value
    name: str = ""
    span: Span | None = None

    kind = "int"
    operands = ("value",)
    pure = True


class ArenaCast(Op):
    """result = where the kernel has what user space has at the address `value`, a number, of the program's arena.

    Any number may be cast, and accessed: what is not there reads as 0, and takes no stores. The result is for loads,
    stores and atomic operations only; what is compared, added to and kept is the number.
    """

    value: Value
    name: str = ""
    span: Span | None = None

    kind = "ptr"
    operands = ("value",)
    pure = True


class Store(Op):
    """Memory at addr + offset = the low `bits` (8..64) of value."""

    addr: Value
    offset: int
    bits: int
    value: Value
    span: Span | None = None

    kind = "void"
    name = ""
    operands = ("addr", "value")
    effect = True


class Atomic(Op):
    """Atomically: old = memory; memory = old `op` value; result = old, if `fetch`. `bits` is 32 or 64.

    `op` is add, and, or, xor; or xchg (memory = value) and cmpxchg (memory = value if old == expected), which fetch.
    """

    op: str
    addr: Value
    offset: int
    bits: int
    value: Value
    expected: Value | None = None
    fetch: bool = False
    name: str = ""
    span: Span | None = None

    kind = "int"
    effect = True

    def args(self) -> list[Value]:
        return [self.addr, self.value] if self.expected is None else [self.addr, self.value, self.expected]

    def map_args(self, change: Callable[[Value], Value]) -> None:
        self.addr, self.value = change(self.addr), change(self.value)
        if self.expected is not None:
            self.expected = change(self.expected)


class SlotAddr(Op):
    """result = address of a stack slot of this function."""

    slot: Slot
    name: str = ""
    span: Span | None = None

    kind = "ptr"
    pure = True


class MapAddr(Op):
    """result = the map `symbol` (a pointer to struct bpf_map that the loader fills in)."""

    symbol: str
    name: str = ""
    span: Span | None = None

    kind = "ptr"
    pure = True


class GlobalAddr(Op):
    """result = address of the global variable `symbol` in .rodata, .data or .bss."""

    symbol: str
    name: str = ""
    span: Span | None = None

    kind = "ptr"
    pure = True


class ExternAddr(Op):
    """result = address of `symbol`, as a number: of one of the kernel's (0 if it is weak and the kernel lacks it), or
    of a variable in an arena.
    """

    symbol: str
    name: str = ""
    span: Span | None = None

    kind = "int"
    pure = True


class FuncAddr(Op):
    """result = address of the static subprogram `symbol`, to be passed as a callback."""

    symbol: str
    name: str = ""
    span: Span | None = None

    kind = "ptr"
    pure = True


class CallHelper(Op):
    """result = kernel helper number `id` (called `helper`) of up to five arguments."""

    id: int
    helper: str
    arguments: list[Value]
    kind: str = "int"
    name: str = ""
    span: Span | None = None

    effect = True

    def args(self) -> list[Value]:
        return list(self.arguments)

    def map_args(self, change: Callable[[Value], Value]) -> None:
        self.arguments = [change(v) for v in self.arguments]


class Call(Op):
    """result = the subprogram `function` of this module, called with up to five arguments."""

    function: str
    arguments: list[Value]
    kind: str = "int"
    name: str = ""
    span: Span | None = None

    effect = True

    def args(self) -> list[Value]:
        return list(self.arguments)

    def map_args(self, change: Callable[[Value], Value]) -> None:
        self.arguments = [change(v) for v in self.arguments]


class CallKernel(Op):
    """result = the kernel's function `function` (a kfunc; in the object an extern of .ksyms), up to five arguments."""

    function: str
    arguments: list[Value]
    kind: str = "int"
    name: str = ""
    span: Span | None = None

    effect = True

    def args(self) -> list[Value]:
        return list(self.arguments)

    def map_args(self, change: Callable[[Value], Value]) -> None:
        self.arguments = [change(v) for v in self.arguments]


class Asm(Op):
    """result = what the instructions of `text` leave in {0}; {1}, {2}, ... are the inputs (isa/inline.py reads it).

    They may read and change any memory. `kind` is "int", or "void" where the text has no {0}.
    """

    text: str
    inputs: list[Value]
    kind: str = "int"
    name: str = ""
    span: Span | None = None

    effect = True

    def args(self) -> list[Value]:
        return list(self.inputs)

    def map_args(self, change: Callable[[Value], Value]) -> None:
        self.inputs = [change(v) for v in self.inputs]


class Jump(Op):
    """Go on at `target`."""

    target: Block
    span: Span | None = None

    kind = "void"
    name = ""
    effect = True
    terminator = True

    def targets(self) -> list[Block]:
        return [self.target]


class Branch(Op):
    """Go on at `then` if lhs `pred` rhs in `width` bits, else at `other`. The two are never the same block."""

    pred: str
    lhs: Value
    rhs: Value
    then: Block
    other: Block
    width: int = 64
    span: Span | None = None

    kind = "void"
    name = ""
    operands = ("lhs", "rhs")
    effect = True
    terminator = True

    def targets(self) -> list[Block]:
        return [self.then, self.other]


class MayGoto(Op):
    """Go on at `then`; at `other` once the kernel finds that this run takes too long (never the same block).

    The kernel counts (may_goto, Linux 6.9): a loop whose rounds all pass one needs no other bound.
    """

    then: Block
    other: Block
    span: Span | None = None

    kind = "void"
    name = ""
    effect = True
    terminator = True

    def targets(self) -> list[Block]:
        return [self.then, self.other]


class Return(Op):
    """Leave the function with `value` in R0."""

    value: Value
    span: Span | None = None

    kind = "void"
    name = ""
    operands = ("value",)
    effect = True
    terminator = True


class Unreachable(Op):
    """Control never gets here. Passes delete the branches that lead to it."""

    span: Span | None = None

    kind = "void"
    name = ""
    effect = True
    terminator = True


# What may change any memory that it can reach, and everything the kernel keeps.
CALLS = (Call, CallHelper, CallKernel, Asm)
