"""Probes of kernel functions and system calls: their entry and return, by the registers of the call.

    @kprobe("do_unlinkat")
    def unlink(dfd: i32, name: filename) -> None: ...         parameters by the names that C gives them

    @kretprobe("do_unlinkat")
    def unlinked(result: i32) -> None: ...

    @ksyscall("openat")
    def opened(filename: u64, flags: i32) -> None: ...        by those that the tracepoint sys_enter_openat has

A program takes those that it wants, in any order, after the context if it takes that. `parm1` ... `parm6` name them by
their place, which is all there is where no BTF describes the function.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import I64, BoolType, EnumType, IntType, NoneType, PtrType
from pybpf.hooks.base import ArgumentsHook, needs_target, site_in
from pybpf.program import annotation_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Concatenate, NoReturn, Protocol, TypeVar, overload

    from typing_extensions import ParamSpec

    from pybpf.compiler.btf.kernel import Prototype
    from pybpf.compiler.schema.specs import ContextSpec, ProgramSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.program import Program
    from pybpf.stdlib.contexts.tracing import PtRegs, SessionContext
    from pybpf.stdlib.kernel.classes import KernelStruct

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)
    A = TypeVar("A", bound="int | KernelStruct")

    class Probe(Protocol):
        """Takes a function of the registers and arguments, of arguments only, or of nothing."""

        @overload
        def __call__(self, function: Callable[Concatenate[PtRegs, P], R], /) -> Program[Concatenate[PtRegs, P], R]: ...
        @overload
        def __call__(self, function: Callable[Concatenate[A, P], R], /) -> Program[Concatenate[A, P], R]: ...
        @overload
        def __call__(self, function: Callable[[], R], /) -> Program[[], R]: ...

    class SessionProbe(Protocol):
        """Takes a function of the registers, or of nothing. 0 (or no answer) has it run at the return too, 1 not."""

        @overload
        def __call__(self, function: Callable[[SessionContext], R], /) -> Program[[SessionContext], R]: ...
        @overload
        def __call__(self, function: Callable[[], R], /) -> Program[[], R]: ...


__all__ = ["RegistersHook", "kprobe", "kretprobe", "kretsyscall", "ksyscall"]


class RegistersHook(ArgumentsHook):
    """A hook whose arguments are in registers. `known` says what they are called and which types they have; None where
    nobody says. `what` is the function in words. The result of `returning` probes is one, of any name.
    """

    __slots__ = ("known", "returning", "session", "sleepable", "user", "what")

    def __init__(
        self, name: str, pattern: str, target: str, attach: dict[str, Any], what: str, *, returning: bool = False
    ) -> None:
        from pybpf.stdlib.contexts.tracing import PARMS, RC, PtRegs, SessionContext

        self.session = ".session" in pattern
        wanted = SessionContext if self.session else PtRegs
        super().__init__(
            name, pattern, target, {**attach, "retprobe": returning}, wanted, (RC,) if returning else PARMS
        )
        self.what = what
        self.returning = returning
        self.user = False
        self.known: Callable[[], tuple[tuple[str, Type], ...] | None] | None = None

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        context, struct, offsets = super().context(function)
        code = function.__code__
        if self.session and code.co_argcount > (context is not None):
            raise DeclarationTypeError(
                f"@{self.name}: {function.__name__}() runs at the entry and at the return, with other registers: "
                "it takes no arguments",
                help="take them where they are:",
                lines=(
                    f"def {function.__name__}(ctx: SessionContext) -> int:",
                    "    if ctx.is_return():",
                    "        result = ctx.rc",
                    "    else:",
                    "        first = ctx.parm1",
                ),
                site=site_in(function, code.co_varnames[context is not None]),
            )
        if self.returning or self.known is None:
            return context, struct, offsets
        return context, struct, tuple([offsets[index] for index, _ in self.picked(function, context is not None)])

    def picked(self, function: Callable[..., Any], has_context: bool) -> list[tuple[int, Type | None]]:
        """Which argument each parameter of the program is, counted from 0, and its type where that is known."""
        code = function.__code__
        known = self.known() if self.known is not None else None
        places = {name: index for index, (name, _) in enumerate(known or ()) if name}
        made: list[tuple[int, Type | None]] = []
        for name in code.co_varnames[has_context : code.co_argcount]:
            if name[:4] == "parm" and name[4:] in ("1", "2", "3", "4", "5", "6") and name not in places:
                index = int(name[4:]) - 1
                made.append((index, known[index][1] if known is not None and index < len(known) else None))
                if known is not None and index >= len(known):
                    self._refuse(function, name, known)
                continue
            if known is None or name not in places:
                self._refuse(function, name, known)
            index = places[name]
            before = [n for n, kind in known[: index + 1] if not _in_register(kind)]
            if index >= len(self.offsets) or before:
                why = f"`{before[0]}` is a struct by value" if before else "only six come in registers"
                raise DeclarationTypeError(
                    f"@{self.name}: `{name}` of {self.what} does not come in a register that is known: {why}",
                    site=site_in(function, name),
                )
            made.append((index, known[index][1]))
        return made

    def _refuse(self, function: Callable[..., Any], name: str, known: Sequence[tuple[str, Type]] | None) -> NoReturn:
        """Refuse a parameter of a name that none has."""
        from difflib import get_close_matches

        site = site_in(function, name)
        if name in ("ctx", "context", "regs") and annotation_of(function, name) is None:
            raise self.wrong_context(function, None, self.wanted.__name__)
        if self.attach.get("offset"):
            where = f"inside of {self.attach['function']}()"
            raise DeclarationTypeError(
                f"@{self.name}: {where} its parameters may lie anywhere: which is `{name}`?",
                help="take registers from the context, as in ctx.di:",
                lines=(f"def {function.__name__}(ctx: {self.wanted.__name__}) -> None:",),
                site=site,
            )
        if known is None:
            raise DeclarationTypeError(
                f"@{self.name}: nothing describes the parameters of {self.what}: which is `{name}`?",
                help="name a kernel's BTF that has it, with --btf; or take them by place, parm1 to parm6:",
                lines=(f"def {function.__name__}(parm1: u64) -> None:",),
                site=site,
            )
        names = [each for each, _ in known]
        near = get_close_matches(name, names, 1)
        has = f"its parameters are {', '.join(names)}" if names else "it has none: leave this one out"
        raise DeclarationTypeError(
            f"@{self.name}: {self.what} has no parameter `{name}`",
            help=f"did you mean `{near[0]}`? {has}" if near else has,
            site=site,
        )

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        made = super().spec(function)
        made.user = self.user
        if self.session:
            made.allowed = (0, 1)
        has_context = made.context is not None
        if self.returning:
            made.arg_types = self.result_types(function, function.__code__.co_argcount - has_context)
        elif self.known is not None:
            made.arg_types = tuple([kind for _, kind in self.picked(function, has_context)])
        return made

    def result_types(self, function: Callable[..., Any], count: int) -> tuple[Type | None, ...]:
        """The type of the result, for a program that takes it."""
        return (None,)


def _in_register(kind: Type) -> bool:
    return isinstance(kind, (IntType, BoolType, EnumType, PtrType))


class _KernelFunction(RegistersHook):
    """A probe of one kernel function, whose parameters BTF describes."""

    __slots__ = ("function", "prototype")

    def __init__(self, name: str, target: str, function: str, attach: dict[str, Any]) -> None:
        returning = name.startswith("kretprobe")
        what = f"{function}()" if function else "many functions"
        super().__init__(name, f"{name}+", target, attach, what, returning=returning)
        self.function = function
        self.known = self._parameters
        self.prototype = _prototype

    def _parameters(self) -> tuple[tuple[str, Type], ...] | None:
        found = self.prototype(self.function)
        return found.params if found is not None else None

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        made = super().spec(function)
        if self.prototype is _prototype and any(kind is not None for kind in made.arg_types):
            made.attach = {**made.attach, "here": lambda: self._here(function) or made}
        return made

    def _here(self, function: Callable[..., Any]) -> ProgramSpec | None:
        """The spec for the running kernel, whose function may have other parameters than that of the bundle; None where
        nothing describes it.
        """
        from pybpf.stdlib.kernel.names import running_function

        if running_function(self.function) is None:
            return None
        made = type(self)(self.name, self.section.partition("/")[2], self.function, self.attach)
        made.what = f"{self.function}() of this kernel"
        made.prototype = running_function
        return made.spec(function)

    def result_types(self, function: Callable[..., Any], count: int) -> tuple[Type | None, ...]:
        found = self.prototype(self.function) if count else None
        if found is None:
            return (None,)
        if _in_register(found.result):
            return (found.result,)
        gives = "nothing" if isinstance(found.result, NoneType) else "a struct by value"
        raise DeclarationTypeError(
            f"@{self.name}: {self.function}() returns {gives}",
            help="leave this parameter out",
            site=site_in(function, function.__code__.co_varnames[function.__code__.co_argcount - 1]),
        )


def _prototype(name: str) -> Prototype | None:
    from pybpf.stdlib.kernel.functions import function

    return function(name) if name else None


class _KernelProbes:
    """`@kprobe(...)` and `@kretprobe(...)`, with `.multi` and, of the first, `.session`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def multi(self, functions: str | Sequence[str]) -> Probe:
        """Many kernel functions at once: a pattern, `.multi("vfs_*")`, or a list of names. Linux 5.18.

        In a pattern `*` stands for any characters and `?` for one. Which functions there are is looked up when the
        program is attached; `ctx.func_ip()` and `ctx.cookie()` tell them apart.
        """
        return _many(f"{self.name}.multi", functions)  # type: ignore[return-value]


class _Kprobe(_KernelProbes):
    __slots__ = ()

    def __call__(self, function: str, *, offset: int = 0) -> Probe:
        """The entry of a kernel function, `@kprobe("do_unlinkat")`; or the instruction that is `offset` bytes into it.

        Parameters have the names and types that they have in C; `parm1` to `parm6` are places.
        """
        return _one("kprobe", function, offset)  # type: ignore[return-value]

    def session(self, functions: str | Sequence[str]) -> SessionProbe:
        """Entry and return of many kernel functions, by one program. Linux 6.10.

        The program runs at the entry and, if it answers 0 there, at the return: `ctx.is_return()` tells which it is.
        """
        return _many("kprobe.session", functions)


class _Kretprobe(_KernelProbes):
    __slots__ = ()

    def __call__(self, function: str) -> Probe:
        """The return of a kernel function; the parameter after the context is its result."""
        return _one("kretprobe", function, 0)  # type: ignore[return-value]


kprobe = _Kprobe("kprobe")
kretprobe = _Kretprobe("kretprobe")


def _one(name: str, function: str, offset: int) -> _KernelFunction:
    needs_target(name, function, "the name of a kernel function", f'@{name}("do_unlinkat")')
    if "*" in function or "?" in function:
        raise DeclarationValueError(
            f"@{name}: {function!r} is a pattern",
            help="probe many functions with:",
            lines=(f'@{name}.multi("{function}")',),
        )
    target = function + (f"+{offset:#x}" if offset else "")
    return _KernelFunction(name, target, "" if offset else function, {"function": function, "offset": offset})


def _many(name: str, functions: str | Sequence[str]) -> _KernelFunction:
    if isinstance(functions, str):
        needs_target(name, functions, "a pattern of kernel functions, or a list", f'@{name}("vfs_*")')
        if any(not (c.isalnum() or c in "_.*?") for c in functions):
            raise DeclarationValueError(
                f"@{name}: {functions!r} is not a pattern of functions",
                help="it is made of names with * and ?; several are a list:",
                lines=(f'@{name}(["vfs_read", "vfs_write"])',),
            )
        one = "" if "*" in functions or "?" in functions else functions
        return _KernelFunction(name, functions, one, {"functions": functions})
    names = list(functions) if isinstance(functions, (list, tuple)) else []
    if not names or not all(isinstance(each, str) and each for each in names):
        raise DeclarationTypeError(
            f"@{name} needs a pattern of kernel functions, or a list", help="write:", lines=(f'@{name}("vfs_*")',)
        )
    return _KernelFunction(name, "", "", {"functions": names})


class _Syscall(RegistersHook):
    """A probe of a system call, whose parameters the tracepoint of that system call describes."""

    __slots__ = ("call",)

    def __init__(self, name: str, call: str) -> None:
        returning = name == "kretsyscall"
        super().__init__(name, f"{name}+", call, {"syscall": call}, f"{call}(2)", returning=returning)
        self.call = call
        self.user = True
        self.known = self._parameters

    def _parameters(self) -> tuple[tuple[str, Type], ...] | None:
        from pybpf.stdlib.tracepoints import bundled, live

        event = f"sys_enter_{self.call}"
        fields = bundled("syscalls", event)
        if fields is None:
            fields = live("syscalls", event)
        if fields is None:
            return None
        return tuple([(field.name, field.type) for field in fields if field.offset >= 16])

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        """The arguments are those of the process: x86-64 and arm64 hand their registers to the kernel's function."""
        made = super().spec(function)
        if self.returning:
            return made
        from pybpf.stdlib.contexts.tracing import PtRegs
        from pybpf.stdlib.syscalls import PARMS

        picked = self.picked(function, made.context is not None)
        values = tuple([PARMS[index] for index, _ in picked])
        context: ContextSpec = PtRegs.__bpf__  # type: ignore[attr-defined]
        return replace(made, arg_offsets=(), arg_values=values, values_from=context)

    def result_types(self, function: Callable[..., Any], count: int) -> tuple[Type | None, ...]:
        return (I64,)


def ksyscall(name: str) -> Probe:
    """The entry of a system call, `@ksyscall("openat")`, without the name of the architecture's function for it.

    Parameters have the names that the tracepoint `sys_enter_openat` gives them; addresses are those of the process.
    Linux 4.17.
    """
    return _system_call("ksyscall", name)  # type: ignore[return-value]


def kretsyscall(name: str) -> Probe:
    """The return of a system call; the parameter after the context is its result, negative for an error."""
    return _system_call("kretsyscall", name)  # type: ignore[return-value]


def _system_call(name: str, call: str) -> _Syscall:
    needs_target(name, call, "the name of a system call", f'@{name}("openat")')
    for prefix in ("__x64_sys_", "__arm64_sys_", "sys_enter_", "sys_exit_", "sys_"):
        bare = call.removeprefix(prefix)
        if bare != call:
            raise DeclarationValueError(
                f"@{name}: {call!r} is not the name of a system call", help="write:", lines=(f'@{name}("{bare}")',)
            )
    if not call.isidentifier():
        raise DeclarationValueError(f"@{name}: {call!r} is no name", help=f'as in @{name}("openat")')
    return _Syscall(name, call)
