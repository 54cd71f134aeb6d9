"""Probes: the entry and the return of functions, of the kernel or of user space, by the registers of the call."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationValueError
from pybpf.hooks.base import ArgumentsHook, needs_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Concatenate, Protocol, TypeVar, overload

    from typing_extensions import ParamSpec

    from pybpf.program import Program
    from pybpf.stdlib.contexts.tracing import PtRegs
    from pybpf.stdlib.kernel.classes import KernelStruct

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)
    A = TypeVar("A", bound="int | KernelStruct")

    class _Probe(Protocol):
        @overload
        def __call__(self, function: Callable[Concatenate[PtRegs, P], R], /) -> Program[Concatenate[PtRegs, P], R]: ...
        @overload
        def __call__(self, function: Callable[Concatenate[A, P], R], /) -> Program[Concatenate[A, P], R]: ...
        @overload
        def __call__(self, function: Callable[[], R], /) -> Program[[], R]: ...


__all__ = ["kprobe", "kretprobe", "uprobe", "uretprobe"]

# Offsets in struct pt_regs, x86-64: the arguments di si dx cx r8 r9 of a function, and its result in ax.
_ARGUMENTS = (112, 104, 96, 88, 72, 64)
_RESULT = (80,)


def uprobe(binary: str, symbol: str, *, offset: int = 0) -> _Probe:
    """The entry of a user-space function, `@uprobe("libc", "malloc")`: a library's name, or a path."""
    return _user_probe("uprobe", binary, symbol, offset, _ARGUMENTS)


def uretprobe(binary: str, symbol: str) -> _Probe:
    """The return of a user-space function; the parameter after the context is its result."""
    return _user_probe("uretprobe", binary, symbol, 0, _RESULT)


def kprobe(function: str, *, offset: int = 0) -> _Probe:
    """The entry of a kernel function, `@kprobe("do_unlinkat")`."""
    return _kernel_probe("kprobe", function, offset, _ARGUMENTS)


def kretprobe(function: str) -> _Probe:
    """The return of a kernel function; the parameter after the context is its result."""
    return _kernel_probe("kretprobe", function, 0, _RESULT)


# Libraries whose file name is the same on every glibc system. The section has to name the file for other loaders; for
# other libraries it says what the user said, and our runtime finds the file.
_SONAMES = {"c": "libc.so.6", "m": "libm.so.6", "pthread": "libpthread.so.0", "dl": "libdl.so.2"}


def _user_probe(name: str, binary: str, symbol: str, offset: int, offsets: tuple[int, ...]) -> _Probe:
    from pybpf.stdlib.contexts.tracing import PtRegs

    if not isinstance(binary, str) or not binary or not symbol:
        raise DeclarationValueError(
            f"@{name} takes a binary and a function", help="write:", lines=(f'@{name}("libc", "malloc")',)
        )
    file = _SONAMES.get(binary.removeprefix("lib"), binary)
    target = f"{file}:{symbol}" + (f"+{offset:#x}" if offset else "")
    attach = {"binary": file, "symbol": symbol, "offset": offset, "retprobe": name == "uretprobe"}
    return ArgumentsHook(name, f"{name}+", target, attach, PtRegs, offsets)  # type: ignore[return-value]


def _kernel_probe(name: str, function: str, offset: int, offsets: tuple[int, ...]) -> _Probe:
    from pybpf.stdlib.contexts.tracing import PtRegs

    needs_target(name, function, "the name of a kernel function", f'@{name}("do_unlinkat")')
    target = function + (f"+{offset:#x}" if offset else "")
    attach = {"function": function, "offset": offset, "retprobe": name == "kretprobe"}
    return ArgumentsHook(name, f"{name}+", target, attach, PtRegs, offsets)  # type: ignore[return-value]
