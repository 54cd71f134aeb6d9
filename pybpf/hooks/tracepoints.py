"""Tracepoints of the kernel: by their records, or by their raw arguments as numbers."""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.hooks.base import ArgumentsHook, Hook, needs_target, site_in
from pybpf.program import annotation_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Concatenate, Protocol, TypeVar, overload

    from typing_extensions import ParamSpec

    from pybpf.compiler.schema.specs import ContextSpec, ProgramSpec
    from pybpf.program import Program
    from pybpf.stdlib.contexts.tracing import RawTracepointContext, TracepointContext
    from pybpf.stdlib.kernel.classes import KernelStruct
    from pybpf.stdlib.struct import Struct

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)
    A = TypeVar("A", bound="int | KernelStruct")
    T = TypeVar("T", bound=TracepointContext)

    class _Tracepoint(Protocol):
        def __call__(self, function: Callable[[T], R], /) -> Program[[T], R]: ...

    class _RawTracepoint(Protocol):
        @overload
        def __call__(
            self, function: Callable[Concatenate[RawTracepointContext, P], R], /
        ) -> Program[Concatenate[RawTracepointContext, P], R]: ...
        @overload
        def __call__(self, function: Callable[Concatenate[A, P], R], /) -> Program[Concatenate[A, P], R]: ...
        @overload
        def __call__(self, function: Callable[[], R], /) -> Program[[], R]: ...

    S = TypeVar("S", bound=Struct)

    class _Writable(Protocol):
        def __call__(self, function: Callable[Concatenate[S, P], R], /) -> Program[Concatenate[S, P], R]: ...


__all__ = ["raw_tp", "tracepoint"]

_RAW_ARGUMENTS = tuple(range(0, 96, 8))  # struct bpf_raw_tracepoint_args


class _TracepointHook(Hook):
    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts.tracing import TracepointContext
        from pybpf.stdlib.tracepoints import context_of

        _, said = self.first(function)
        if function.__code__.co_argcount != 1 or not (isinstance(said, type) and issubclass(said, TracepointContext)):
            raise self.wrong_context(function, said, "TracepointContext")
        spec = context_of(self.attach["category"], self.attach["event"], said)
        return spec, spec.struct, ()


class _RawTracepointHook(ArgumentsHook):
    """A raw tracepoint. Where its arguments are known, no others can be named: attaching would fail."""

    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts.tracing import raw_context
        from pybpf.stdlib.tracepoints import raw_arguments, raw_tracepoints_of

        spec, struct, offsets = super().context(function)
        known = raw_arguments(self.attach["event"])
        if known is None:
            return spec, struct, offsets
        count = function.__code__.co_argcount - (spec is not None)
        if count > len(known):
            raise DeclarationTypeError(
                f"@raw_tp: {self.attach['event']} has {len(known)} arguments in Linux {raw_tracepoints_of()}, "
                f"but {function.__name__}() takes {count}",
                help=f"they are: {', '.join(known)}" if known else "leave the parameters out",
                site=site_in(function, function.__code__.co_varnames[len(known) + (spec is not None)]),
            )
        return (raw_context(len(known)) if spec is not None else None), struct, offsets[: len(known)]

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        """With the types of the arguments, where one is annotated as a struct of the kernel."""
        made = super().spec(function)
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        if any(_is_kernel_struct(annotation_of(function, name)) for name in names):
            from pybpf.stdlib.kernel.functions import raw_tracepoint

            found = raw_tracepoint(self.attach["event"])
            made.arg_types = tuple([kind for _, kind in found.params]) if found is not None else ()
        return made


class _WritableHook(ArgumentsHook):
    """A raw tracepoint whose first argument is memory that programs may change, as a Struct of their own."""

    __slots__ = ()

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        from pybpf.compiler.schema.types import PtrType, Space, StructType
        from pybpf.stdlib.types import type_of

        made = super().spec(function)
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        kind = type_of(annotation_of(function, names[0])) if names else None
        if not isinstance(kind, StructType):
            name = names[0] if names else "value"
            raise DeclarationTypeError(
                f"@raw_tp.writable: the first parameter of {function.__name__}() is what it may change, as a Struct",
                help="declare what lies there:",
                lines=(
                    "class Error(Struct):",
                    "    value: i32",
                    "",
                    f"def {function.__name__}({name}: Error) -> None:",
                ),
                site=site_in(function, name if names else "return"),
            )
        made.arg_types = (PtrType(kind, Space.PERCPU),)
        return made


def _is_kernel_struct(annotation: Any) -> bool:
    return type(getattr(annotation, "__bpf__", None)).__name__ == "KernelType"


def _bare(name: str) -> str:
    last = name.replace("/", ":").rpartition(":")[2]
    return last if last.isidentifier() else "sched_switch"


_TRACEPOINT = '@tracepoint("sched:sched_switch")'


def _with_category(event: str) -> str:
    """The decorator with a tracepoint's full name, where its category was forgotten."""
    from pybpf.stdlib.tracepoints import names

    full = next((name for name in names() if name.partition(":")[2] == event), "")
    return f'@tracepoint("{full}")' if full else _TRACEPOINT


def tracepoint(name: str, *, sleepable: bool = False) -> _Tracepoint:
    """A kernel tracepoint, `@tracepoint("syscalls:sys_enter_openat")`; a slash does as well as the colon.

    `sleepable`: one that runs where the kernel may sleep, as those of system calls do. Linux 7.2.
    """
    needs_target("tracepoint", name, "the name of a tracepoint", _TRACEPOINT)
    category, _, event = name.replace("/", ":").partition(":")
    if not category or not event or ":" in event:
        raise DeclarationValueError(
            f"@tracepoint: {name!r} is not the name of a tracepoint",
            help="name its category too:",
            lines=(_with_category(name),),
        )
    pattern = "tracepoint.s+" if sleepable else "tracepoint+"
    return _TracepointHook("tracepoint", pattern, f"{category}/{event}", {"category": category, "event": event})


class _RawTracepoints:
    """`@raw_tp(...)`, and `@raw_tp.writable(...)`."""

    __slots__ = ()

    def __call__(self, name: str, *, sleepable: bool = False) -> _RawTracepoint:
        """A raw tracepoint, `@raw_tp("sys_enter")`: the arguments of the kernel's trace_NAME(), without a record.

        `sleepable`: one that runs where the kernel may sleep. Linux 7.2.
        """
        from pybpf.stdlib.contexts.tracing import RawTracepointContext

        pattern = "raw_tp.s+" if sleepable else "raw_tp+"
        event = _raw_name("raw_tp", name)
        return _RawTracepointHook("raw_tp", pattern, event, {"event": event}, RawTracepointContext, _RAW_ARGUMENTS)  # type: ignore[return-value]

    def writable(self, name: str) -> _Writable:
        """One of the few whose first argument programs may change, as nbd_send_request. Linux 5.2.

        That parameter is a Struct of yours: what lies there, no longer than what the kernel lets be written.
        """
        from pybpf.stdlib.contexts.tracing import RawTracepointContext

        event = _raw_name("raw_tp.writable", name)
        attach = {"event": event}
        return _WritableHook("raw_tp.writable", "raw_tp.w+", event, attach, RawTracepointContext, _RAW_ARGUMENTS)  # type: ignore[return-value]


raw_tp = _RawTracepoints()


def _raw_name(hook: str, name: str) -> str:
    needs_target(hook, name, "the name of a tracepoint", f'@{hook}("sched_switch")')
    if not name.isidentifier():
        raise DeclarationValueError(
            f"@{hook}: {name!r} is not the name of a raw tracepoint",
            help="leave out the category:" if ":" in name or "/" in name else "write:",
            lines=(f'@{hook}("{_bare(name)}")',),
        )
    return name
