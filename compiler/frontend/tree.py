"""The typed tree: what the frontend hands on. Every expression has its type and its span; nothing is left implicit.

All of Python's sugar is gone: chained comparisons, `and`/`or` as values, `.get(k, d)`, default arguments, methods
written in the DSL are spelled out with the nodes here. Conversions are explicit nodes, so whoever walks the tree never
decides about widths or None. Operands are evaluated left to right, each once.

Types of expressions (pybpf.compiler.schema.types):
    IntType, BoolType, EnumType     a number in a register
    PtrType(aggregate, space)       a reference to a struct, array, text or bytes in that space
    PtrType(None, PACKET)           an address inside the packet; PACKET_END is only compared
    PtrType(x, KERNEL or USER)      an address outside the program's reach; 0 is None
    PtrType(x, TRUSTED, UNTRUSTED)  a kernel object that may be loaded from; it may be NULL, which is None
    OptionalType(inner)             one of those, or None: (present, value) for numbers, a nullable address for
    references NoneType                        no value
Aggregates by value do not exist: an expression that makes one (`New`, `Fill`, `Zero`, `TextConst`) has type
PtrType(aggregate, STACK), and is built where it is wanted when it is assigned to a place.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema import types
    from pybpf.compiler.schema.core import CoreFact
    from pybpf.compiler.schema.kernel import KernelMember
    from pybpf.compiler.schema.span import Source, Span
    from pybpf.compiler.schema.specs import CtxField, FillSpec, GlobalSpec, HelperSpec, KfuncSpec, MapSpec, ProgramSpec
    from pybpf.compiler.schema.types import Type

__all__ = [
    "Acquire", "And", "Asm", "Assign", "Atomic", "Binary", "Break", "Callback", "Cast", "Compare", "Const", "Context", "Copy", "Continue", "Convert",
    "CtxLoad", "Discard",
    "Expr", "ExprStmt", "Field", "Fill", "ForMap", "ForRange", "FuncCall", "Function", "Global", "HelperCall", "If", "IfExp",
    "Index", "IsNone", "KernelContainer", "KernelFact", "KernelPlace", "Let", "Local", "MapContains", "MapDelete", "MapGet", "MapIndex", "MapPop", "MapSet",
    "MapSetDefault", "MapUpdate", "New", "NoneValue", "Not", "Or", "Place", "Printk", "Program", "PtrOffset",
    "Return", "RingEmit", "RingReserve", "Slice", "Stmt", "Store", "SubprogAddr", "SubprogCall", "Subprogram", "TailCall", "TextCompare",
    "TextConst", "TimerCall", "Truth", "Typed",
    "Unary", "Unwrap",
    "Update", "Var", "While", "WithLock", "WithReserve", "Wrap", "Zero",
]  # fmt: skip


class Var(Record, eq=False):
    """A local variable, parameter, or temporary of one function. It keeps one type for its whole life."""

    name: str
    type: Type
    span: Span | None = None


class Node(Record, eq=False):
    """Base of expressions and statements."""


class Expr(Node):
    """Base of expressions."""

    type: Type
    span: Span


# --- values


class Const(Expr):
    """An int, bool or enum constant of the given type."""

    value: int


class NoneValue(Expr):
    """`None`: of type NoneType, or of an OptionalType that it is the empty value of."""


class TextConst(Expr):
    """A constant text or bytes object. `value` has exactly the bytes of the type's size (text: NUL-padded)."""

    value: bytes


class Zero(Expr):
    """A new aggregate with all bytes zero."""


class Copy(Expr):
    """A copy on the stack of the aggregate that `value` refers to, with zeroes after the NUL of each text in it."""

    value: Expr


class New(Expr):
    """A new struct: the given fields in the order of evaluation, everything else (padding too) zero.

    Or a new array with all its elements: fields named by their index.
    """

    values: tuple[tuple[types.Field, Expr], ...]


class Fill(Expr):
    """A new text or bytes object (of the type's size) that a helper fills: see FillSpec."""

    spec: FillSpec
    args: tuple[Expr, ...]


class Local(Expr):
    """The value of a variable. Of an Optional variable it is the Optional; `Unwrap` follows where it is narrowed."""

    var: Var


class Context(Expr):
    """The program's context; its type is PtrType(None, CTX)."""


class CtxLoad(Expr):
    """A field of the context, converted to `type`.

    Role "packet"/"packet_end": the address. Role "array": a reference PtrType(aggregate, CTX) in place. Role
    "data_loc": a reference to the text inside the tracepoint record, PtrType(TextType(n), CTX) (n bounds what may be
    read).
    """

    field: CtxField


class Global(Expr):
    """A `const()` or `var()`: its value, or for an aggregate a reference PtrType(aggregate, GLOBAL). A place."""

    spec: GlobalSpec


class Field(Expr):
    """base.field: the value (byte order and width already applied), or for an aggregate a reference. A place."""

    base: Expr
    field: types.Field


class Index(Expr):
    """base[index]: element of an array, or byte of a text or bytes object (as u8). A place.

    The index is an int expression proven to lie in 0 .. length - 1.
    """

    base: Expr
    index: Expr


class KernelPlace(Expr):
    """What lies at the end of a path from a kernel object: its value, or for an object in place a reference to it.

    `base` is a pointer to the path's first struct (or to `first`, an index, of several such, or of numbers). A step is a
    member, or an element by its number or by an int expression. `direct`: the program may load it; otherwise it is read
    by a probe. What can't be read is zero.
    """

    base: Expr
    path: tuple[KernelMember | int | Expr, ...]
    first: int | Expr = 0
    direct: bool = False


class KernelContainer(Expr):
    """The struct, as a PtrType, whose member at the end of `path` is at the address `value`."""

    value: Expr
    path: tuple[KernelMember | int, ...]


class KernelFact(Expr):
    """What holds of a type of the running kernel, which only the loader knows. A number or BOOL."""

    fact: CoreFact


class Slice(Expr):
    """Bytes `start` to `start + n` of a text or bytes object: a reference to a text or bytes of n bytes in it.

    `start` is an int expression proven to lie in 0 .. size - n.
    """

    base: Expr
    start: Expr


# --- operators


class Unary(Expr):
    """-x or ~x ("-", "~"), in 64 bits of the signedness of `type`; the operand is of that type."""

    op: str
    value: Expr


class Binary(Expr):
    """lhs op rhs with op in + - * // % & | ^ << >>; `type` is I64 or U64 and both operands are of that type.

    It wraps in 64 bits. // and % floor, as in Python; x // 0 is 0 and x % 0 is x. Shift counts are masked with 63;
    >> is arithmetic for I64. A divisor, or a shift count, is never a narrower value that needs converting.
    """

    op: str
    lhs: Expr
    rhs: Expr


class Compare(Expr):
    """lhs op rhs with op in == != < <= > >=; both ints of one type (I64 or U64), or both addresses. Type BOOL."""

    op: str
    lhs: Expr
    rhs: Expr


class TextCompare(Expr):
    """Whether two texts are equal up to their first NUL (bytes: entirely). `equal` False negates. Type BOOL.

    `rhs` is a TextConst or a reference; sizes may differ.
    """

    lhs: Expr
    rhs: Expr
    equal: bool = True


class Truth(Expr):
    """bool(value) for an int (!= 0), an Optional int (present and != 0), a reference (True) or Optional reference.
    BOOL.
    """

    value: Expr


class Not(Expr):
    """not value; the operand is BOOL."""

    value: Expr


class And(Expr):
    """lhs and rhs, both BOOL; rhs is evaluated only if lhs is true."""

    lhs: Expr
    rhs: Expr


class Or(Expr):
    """lhs or rhs, both BOOL; rhs is evaluated only if lhs is false."""

    lhs: Expr
    rhs: Expr


class IfExp(Expr):
    """then if test else other: test is BOOL, both sides have this expression's type."""

    test: Expr
    then: Expr
    other: Expr


class Let(Expr):
    """Assign `value` to the fresh variable `var`, then the value of `body`, which may use it."""

    var: Var
    value: Expr
    body: Expr


class Convert(Expr):
    """value as the int type `type`: wraps (keeps the low bits, reinterpreted in the new signedness). bool counts as
    0/1.
    """

    value: Expr


class IsNone(Expr):
    """value is None, for an Optional. Type BOOL."""

    value: Expr


class Wrap(Expr):
    """A present value as the Optional `type`."""

    value: Expr


class Unwrap(Expr):
    """The value in an Optional that flow analysis has shown to be present here."""

    value: Expr


class PtrOffset(Expr):
    """base + offset bytes, for an address into the packet; the offset is an int expression."""

    base: Expr
    offset: Expr


class Cast(Expr):
    """The same address as another pointer type, `header.at(address)`; as a number, `u64(task)`."""

    value: Expr


# --- calls


class HelperCall(Expr):
    """A kernel helper. Each argument is of the kind its ArgSpec says: an int, a reference (mem, out, key, value, ptr),
    the Context, or the MapSpec of a map."""

    helper: HelperSpec
    args: tuple[Expr | MapSpec, ...]


class KfuncCall(Expr):
    """A function of the kernel, called by name. Each argument is of the parameter's kind in C: an int, a reference to
    memory or to an object of the kernel, the Context, a RodataText; an int where it must be NULL or is not looked at."""

    kfunc: KfuncSpec
    args: tuple[Expr, ...]


class KfuncExists(Expr):
    """Whether the running kernel has the function, which the loader then need not find. Type BOOL."""

    kfunc: KfuncSpec


class RodataText(Expr):
    """The address of a constant string in .rodata: `value` and a NUL. Type PtrType(None, GLOBAL)."""

    value: bytes


class Acquire(Expr):
    """The result of a call, which is a reference that is held until a Release names this expression's span.

    Where it is None nothing is held. `release` is what gives it back, with it as the only argument.
    """

    value: Expr
    release: HelperSpec | KfuncSpec


class Release(Expr):
    """A call that gives back the reference acquired by the Acquire of one of these spans (on each path one)."""

    value: Expr
    of: tuple[Span, ...]


class FuncCall(Expr):
    """A typed instance of a Python function, inlined here: arguments are assigned to its `params`, then its body
    runs.
    """

    function: Function
    args: tuple[Expr, ...]


class SubprogCall(Expr):
    """A call of a subprogram. An argument for each of its `params`: numbers, references, and the Context."""

    subprogram: Subprogram
    args: tuple[Expr, ...]


class TailCall(Expr):
    """The program in slot `index` (u32) of a program array goes on in place of this one; nothing where it is empty.

    Type NONE.
    """

    map: MapSpec
    context: Expr
    index: Expr


class SubprogAddr(Expr):
    """The address of a static subprogram, for a helper that calls it back. Its type is PtrType(None, STACK)."""

    subprogram: Subprogram


class Asm(Expr):
    """Instructions as text, with {0} for the result and {1}, {2}, ... for the arguments: ints, references, maps.

    Type U64, or NONE where the text has no {0}. It may change any memory that an argument refers to.
    """

    text: str
    args: tuple[Expr | MapSpec, ...]


class Printk(Expr):
    """bpf_trace_printk of a printf format (bytes, no NUL) and its arguments: ints of 64 bits (%d %u %x with ll), or
    references to text (%s). Type NONE."""

    format: bytes
    args: tuple[Expr, ...]


class Atomic(Expr):
    """One step that changes the number at `place`, of 32 or 64 bits in host order, and gives what it was.

    `op` is add, and, or, xor, xchg (place = value), or cmpxchg (place = value if place == expected). Operands and result
    are of the place's type.
    """

    op: str
    place: Expr
    value: Expr
    expected: Expr | None = None


class TimerCall(Expr):
    """timer.start(map, delay, callback), or timer.cancel() without those. `timer` is the field, a reference into `map`.

    `callback` has the parameters key and value. BOOL: whether it was started; whether it was waiting.
    """

    timer: Expr
    map: MapSpec | None = None
    delay: Expr | None = None
    callback: Callback | None = None


# --- maps. Keys and values are int expressions of the declared type, or references to (or makers of) aggregates.


class MapGet(Expr):
    """map.get(key): Optional of the value; for an aggregate value an Optional reference into the map."""

    map: MapSpec
    key: Expr


class MapIndex(Expr):
    """array[key] with a key proven to be below max_entries: the value, or a reference into the map. A place."""

    map: MapSpec
    key: Expr


class MapContains(Expr):
    """key in map. Type BOOL."""

    map: MapSpec
    key: Expr


class MapSet(Expr):
    """map[key] = value, with the update flags of bpf(2) (0 any, 1 noexist, 2 exist). Type NONE."""

    map: MapSpec
    key: Expr
    value: Expr
    flags: int = 0


class MapUpdate(Expr):
    """map[key] op= amount: of the entry, which starts as zero if there is none. Type NONE.

    Atomic in a shared map for + - & | ^ on 32 and 64 bit values; `value` is of the map's value type.
    """

    map: MapSpec
    key: Expr
    op: str
    value: Expr


class MapDelete(Expr):
    """del map[key]; nothing happens where there is no such key. Type NONE."""

    map: MapSpec
    key: Expr


class MapPop(Expr):
    """map.pop(key, None): Optional of a scalar value, after which the key is gone."""

    map: MapSpec
    key: Expr


class MapSetDefault(Expr):
    """map.setdefault(key, value): Optional reference to (scalar: Optional value of) the entry, made from `value` if
    new.

    It is None only where the map is full.
    """

    map: MapSpec
    key: Expr
    value: Expr


class RingEmit(Expr):
    """ring.emit(value): reserve, build in place, submit. BOOL: False where the ring was full."""

    map: MapSpec
    value: Expr


class RingReserve(Expr):
    """ring.reserve(): Optional reference to a zeroed record; only as the subject of WithReserve."""

    map: MapSpec


class Discard(Expr):
    """record.discard() inside its WithReserve. Type NONE. Afterwards the record is not used on this path."""

    var: Var


# --- statements


class Stmt(Node):
    """Base of statements."""

    span: Span


Place = (Field, Index, Global, MapIndex, CtxLoad)


class Assign(Stmt):
    """var = value; both have the same type (for an aggregate: the variable now refers to it)."""

    var: Var
    value: Expr


class Store(Stmt):
    """place = value: a scalar is stored at the place's width and byte order; an aggregate is built or copied there.

    A text may be stored to a larger one, whose rest becomes NUL; one of role "data_loc" may be larger, and is cut.
    """

    place: Expr
    value: Expr


class Update(Stmt):
    """place op= value for a scalar place, as one read and one write; `atomic` where other CPUs may do the same.

    `value` is of type I64 or U64; the result wraps at the place's width.
    """

    place: Expr
    op: str
    value: Expr
    atomic: bool = False


class ExprStmt(Stmt):
    """An expression evaluated for its effect."""

    value: Expr


class If(Stmt):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)


class While(Stmt):
    """`orelse` runs when the test turns false, not after a break.

    `bound`: how the verifier sees the end (longloops.py); `carried`: the variables that the loop assigns and that have
    a value in front of it.
    """

    test: Expr
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)
    bound: str = ""
    carried: tuple[Var, ...] = ()


class ForRange(Stmt):
    """for var in range(start, stop, step): bounds are evaluated once, and are of type I64 or U64 as `var` is.

    `step` is a non-zero constant. `var` may be assigned in the body without changing the iteration, and keeps its last
    value after the loop. `orelse` as in While. `most`: `start` and `stop` are known to be neither negative nor above
    these; None where they are not. `bound` and `carried` as in While.
    """

    var: Var
    start: Expr
    stop: Expr
    step: int
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)
    most: tuple[int | None, int | None] = (None, None)
    bound: str = ""
    carried: tuple[Var, ...] = ()


class ForMap(Stmt):
    """for key, value in map.items(), where `key` or `value` may be left out: once for each element.

    `key` is a number, or a reference to a copy on the stack; `value` a number, or a reference into the map. `orelse`
    and `carried` as in While. An element that the body deletes, or that comes meanwhile, may be met or not.
    """

    map: MapSpec
    key: Var | None
    value: Var | None
    body: list[Stmt]
    orelse: list[Stmt] = factory(list)
    carried: tuple[Var, ...] = ()


class Break(Stmt):
    """Leave the innermost loop."""


class Continue(Stmt):
    """Go on with the innermost loop."""


class Return(Stmt):
    """Leave the function; the value has the function's result type (None: no value)."""

    value: Expr | None = None


class WithLock(Stmt):
    """with lock(value): body. `lock` is the field, a reference into a map; it is released on every way out."""

    lock: Expr
    body: list[Stmt]


class WithAcquire(Stmt):
    """with releasing(acquire) as var: body. `var` has the type of `acquire`, a call that acquires a reference; on every
    way out of the body `release` gives it back, if there is one."""

    var: Var
    acquire: Expr
    release: HelperSpec | KfuncSpec
    body: list[Stmt]


class WithReserve(Stmt):
    """with ring.reserve() as var: body. `var` is Optional; on every way out of the body (return, break and continue
    too) the record is submitted, if there is one and it was not discarded."""

    var: Var
    reserve: RingReserve
    body: list[Stmt]


# --- functions


class Callback(Record, eq=False):
    """A Python function that the kernel calls with an element of a map: `key` is a number or a copy, `value` a number or
    a reference into the map. All are None while it is being checked.
    """

    function: Function | None
    key: Var | None
    value: Var | None


class Function(Record, eq=False):
    """A Python function with its types known; one for each set of argument types that it is called with.

    `outer` are variables that it assigns for its caller: the items of a tuple that it returns, and what it declares
    `nonlocal`.
    """

    name: str
    params: tuple[Var, ...]
    result: Type
    body: list[Stmt]
    span: Span
    source: Source
    outer: tuple[Var, ...] = ()


class Subprogram(Record, eq=False):
    """A function of its own in the object, which programs and subprograms call. `name` is its symbol.

    `params` are the variables that take the arguments, in order; None stands for the context. Those of `function` are
    the same without the context. `static`: verified with its callers; otherwise global, verified on its own.
    `program` is one that calls it: it says what the context is, and which helpers may be called. `state` are the
    variables kept on the context (StateSpec) that it, or what it calls, reads or assigns: the caller's own.
    """

    name: str
    function: Function
    params: tuple[Var | None, ...]
    program: ProgramSpec
    static: bool = True
    state: tuple[Var, ...] = ()


class Program(Record, eq=False):
    """A decorated function. `args` are the variables that are read from the context at entry, by their offsets.

    A variable that is kept on the context (StateSpec) is one Var of all programs, named `ctx.NAME`: the body of one that
    uses it assigns it first; inlined functions and subprograms read and assign the same Var.
    """

    spec: ProgramSpec
    function: Function
    args: tuple[tuple[Var, int], ...] = ()


class Typed(Record, eq=False):
    """All programs of one object, what they reach in the order of first use (subprograms, maps, globals), and what to
    warn of. `called` are the names of programs that others go on in, and that nothing else starts.
    """

    programs: list[Program]
    maps: list[MapSpec] = factory(list)
    globals: list[GlobalSpec] = factory(list)
    warnings: list[Diagnostic] = factory(list)
    subprograms: list[Subprogram] = factory(list)
    called: list[str] = factory(list)
    kfuncs: list[KfuncSpec] = factory(list)
