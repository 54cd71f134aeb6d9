"""Functions that the compiler itself knows, by name: `printk`, `sizeof`."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.specs import BuiltinSpec
from pybpf.compiler.schema.types import StructType, size_of
from pybpf.stdlib.types import type_of, why_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar, overload

    from typing_extensions import LiteralString

    R = TypeVar("R")
    T = TypeVar("T")

    def printk(message: str, /) -> None:
        """Write a line to the kernel's trace, `/sys/kernel/tracing/trace_pipe`. Takes an f-string."""

    def offsetof(struct: type[Any], field: str, /) -> int:
        """Where a field starts in its struct, in bytes; `"inner.x"` goes on inside a field that is a struct."""
        ...

    def per_cpu(variable: T, cpu: int, /) -> T | None:
        """The value that a per-CPU variable of the kernel has on a CPU; None where there is no such CPU.

        `active = ksym(i32, "bpf_prog_active", percpu=True)` by itself is this CPU's.
        """

    def sizeof(kind: Any, /) -> int:
        """Bytes that a type, or a value of a Struct, takes in memory."""
        ...

    def releasing(acquired: R, /) -> AbstractContextManager[R]:
        """Release what a call acquired on every way out of a block: `with releasing(acquire()) as it:`.

        `it` is what the call gave: None where it found nothing.
        """

    @overload
    def asm(text: LiteralString, /, **operands: Any) -> None: ...
    @overload
    def asm(kind: type[T], text: LiteralString, /, **operands: Any) -> T: ...
    def asm(*given: Any, **operands: Any) -> Any:
        """Instructions in the kernel's syntax: `n = asm(u64, "{out} = {a}; {out} += 5", a=size)`.

        An instruction ends at `;` or at the end of its line; `//` begins a comment. `{out}` is the result, of the type
        given first (none: there is no result); `{a}` the register of the operand `a`: a number, a reference to an
        object (its address), a map, the context. `{a:w}` is the low half, as w1 is of r1. `{a:i}` is a number that is
        known when compiling, or that of a helper. The text may change operands, and use r0 to r9 by name.
        """


__all__ = ["Builtin", "asm", "offsetof", "per_cpu", "printk", "sizeof"]


# Such a function; in plain Python it runs `python`. (No docstring: `__doc__` is the function's own.)
class Builtin:
    __slots__ = ("__bpf__", "__doc__", "__name__", "python")

    def __init__(self, name: str, python: Callable[..., Any], doc: str) -> None:
        self.__bpf__ = BuiltinSpec(name)
        self.__name__ = name
        self.__doc__ = doc
        self.python = python

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self.python(*args, **keywords)

    def __repr__(self) -> str:
        return f"<pybpf function {self.__name__}>"


def _printk(message: str, /) -> None:
    from pybpf.stdlib.simulation import current

    current("printk()").printk(message)


def _asm(*given: Any, **operands: Any) -> Any:
    raise RuntimeError("asm() works inside a BPF program only: load() or simulate() the program")


def _offsetof(struct: Any, field: str, /) -> int:
    kind = type_of(struct)
    at = 0
    for name in field.split("."):
        found = kind.field(name) if isinstance(kind, StructType) else None
        if found is None:
            raise AttributeError(f"{kind if kind is not None else struct!r} has no field {name!r}")
        if found.bits:
            raise AttributeError(f"{name!r} is a bit field, which starts inside a byte")
        at, kind = at + found.offset, found.type
    return at


def _per_cpu(variable: Any, cpu: int, /) -> Any:
    raise RuntimeError("per_cpu() works inside a BPF program only: load() or simulate() the program")


def _releasing(acquired: Any, /) -> Any:
    raise RuntimeError("releasing() works inside a BPF program only: load() or simulate() the program")


def _sizeof(kind: Any, /) -> int:
    known = type_of(kind)
    if known is None:
        known = type_of(type(kind))
    if known is None:
        raise DeclarationTypeError(f"sizeof(): {why_not(kind)}")
    return size_of(known)


if not TYPE_CHECKING:
    printk = Builtin("printk", _printk, "Write a line to the kernel's trace. Takes an f-string.")
    asm = Builtin("asm", _asm, "Instructions in the kernel's syntax.")
    offsetof = Builtin("offsetof", _offsetof, "Where a field starts in its struct, in bytes.")
    per_cpu = Builtin("per_cpu", _per_cpu, "The value that a per-CPU variable of the kernel has on a CPU.")
    releasing = Builtin("releasing", _releasing, "Release what a call acquired on every way out of a block.")
    sizeof = Builtin("sizeof", _sizeof, "Bytes that a type, or a value of a Struct, takes in memory.")
