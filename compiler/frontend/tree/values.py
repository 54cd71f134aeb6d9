"""Expressions: constants, new objects, variables, and places in memory."""

from __future__ import annotations

from pybpf.compiler.frontend.tree.nodes import Expr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.frontend.tree.nodes import Var
    from pybpf.compiler.schema import types
    from pybpf.compiler.schema.core import CoreFact
    from pybpf.compiler.schema.kernel import KernelMember
    from pybpf.compiler.schema.specs import CtxField, FillSpec, GlobalSpec

__all__ = [
    "Const", "Context", "Copy", "CtxLoad", "Field", "Fill", "Global", "Index", "KernelContainer", "KernelFact",
    "KernelPlace", "Local", "New", "NoneValue", "PerCpu", "Slice", "TextConst", "Zero",
]  # fmt: skip


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


class PerCpu(Expr):
    """A per-CPU variable of the kernel, on the CPU of that number: Optional of its value."""

    spec: GlobalSpec
    cpu: Expr


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

    `base` is a pointer to the path's first struct (or to `first`, an index, of several such, or of numbers). A step is
    a member, or an element by its number or by an int expression. `direct`: the program may load it; otherwise it is
    read by a probe. What can't be read is zero.
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
