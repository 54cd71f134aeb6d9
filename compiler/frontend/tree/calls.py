"""Expressions: helpers, kernel functions, functions of the program, instructions as text."""

from __future__ import annotations

from pybpf.compiler.frontend.tree.nodes import Expr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.tree.functions import Callback, Function, Subprogram
    from pybpf.compiler.frontend.tree.values import New
    from pybpf.compiler.schema.span import Span
    from pybpf.compiler.schema.specs import HelperSpec, KfuncSpec, MapSpec
    from pybpf.compiler.schema.types import Field

__all__ = [
    "Acquire", "Allocate", "Asm", "Atomic", "DynptrSlice", "FuncCall", "HelperCall", "KfuncCall", "KfuncExists",
    "KptrLoad", "KptrStore", "NewDynptr", "NodeCall", "Printk", "Release", "RodataText", "SubprogAddr", "SubprogCall",
    "TailCall", "TimerCall",
]  # fmt: skip


class HelperCall(Expr):
    """A kernel helper. Each argument is of the kind its ArgSpec says: an int, a reference (mem, out, key, value, ptr),
    the Context, or the MapSpec of a map."""

    helper: HelperSpec
    args: tuple[Expr | MapSpec, ...]


class KfuncCall(Expr):
    """A function of the kernel, called by name. Each argument is of the parameter's kind in C: an int, a reference to
    memory or to an object of the kernel, the Context, a RodataText; an int where it must be NULL or isn't looked at."""

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

    Where it is None nothing is held. `release` is what gives it back, with it as the only argument. Where the call
    fills a dynptr, that is the reference, and `place` refers to it; the span is then its NewDynptr's.
    """

    value: Expr
    release: HelperSpec | KfuncSpec
    place: Expr | None = None


class Release(Expr):
    """A call that gives back the reference acquired by the Acquire of one of these spans (on each path one)."""

    value: Expr
    of: tuple[Span, ...]


class NewDynptr(Expr):
    """Dynptr(): 16 bytes of the stack, which a call makes a dynptr of. A reference to a DynptrType."""


class DynptrSlice(Expr):
    """A reference to `size` bytes at `offset` (u32) of the memory that a dynptr is about, or None. `call` gives it.

    With a `buffer`, a reference to as many bytes, it is that where they don't lie in one piece.
    """

    call: HelperSpec | KfuncSpec
    dynptr: Expr
    offset: Expr
    size: int
    buffer: Expr | None = None


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
    references to text (%s). Type NONE. With a seq_file in `file` it is bpf_seq_printf, which writes there."""

    format: bytes
    args: tuple[Expr, ...]
    file: Expr | None = None


class Atomic(Expr):
    """One step that changes the number at `place`, of 32 or 64 bits in host order, and gives what it was.

    `op` is add, and, or, xor, xchg (place = value), or cmpxchg (place = value if place == expected). Operands and
    result are of the place's type.
    """

    op: str
    place: Expr
    value: Expr
    expected: Expr | None = None


class KptrLoad(Expr):
    """What a pointer in a map's value leads to, for now. `place` is the field; Optional of a reference into RCU."""

    place: Expr


class KptrStore(Expr):
    """Let a pointer in a map's value lead to `value`, a kernel object or 0. `place` is the field. Type NONE."""

    place: Expr
    value: Expr


class Allocate(Expr):
    """A new object of the program: the result of `call`, an Optional reference, with the fields of `initial`."""

    call: KfuncCall
    initial: New


class NodeCall(Expr):
    """A function of a list or a tree, `root`: a field of a map's value. Objects hang there by their field `node`.

    BOOL where it puts in `element` (into a tree in the order of `less`, of two references); else an Optional reference
    to an object, as seen from `element` where that is given.
    """

    kfunc: KfuncSpec
    root: Expr
    node: Field
    element: Expr | None = None
    less: Callback | None = None


class TimerCall(Expr):
    """timer.start(map, delay, callback), or timer.cancel() without those. `timer` is the field, a reference into `map`.

    `callback` has the parameters key and value. BOOL: whether it was started; whether it was waiting.
    """

    timer: Expr
    map: MapSpec | None = None
    delay: Expr | None = None
    callback: Callback | None = None
