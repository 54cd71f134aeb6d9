"""The decorators that make a Program of a function: where in the kernel it runs, and what it is given.

Each hook is a Hook with a section name out of libbpf's table (`pybpf.stdlib.sections`), and says how the function's
parameters are filled. The first parameter may be the context, named by its annotation; parameters after it, or all of
them, are the arguments of the probed function or tracepoint as numbers of 64 bits.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import ProgramSpec
from pybpf.compiler.schema.types import I32, NONE
from pybpf.program import Program, annotation_of
from pybpf.stdlib.naming import check_symbol
from pybpf.stdlib.sections import SECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Concatenate, Protocol, TypeVar, overload

    from typing_extensions import ParamSpec

    from pybpf.compiler.schema.specs import ContextSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.stdlib.actions import XDP
    from pybpf.stdlib.contexts import PtRegs, RawTracepointContext, TracepointContext, XdpContext
    from pybpf.stdlib.kernel.classes import KernelStruct

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)
    A = TypeVar("A", bound="int | KernelStruct")
    T = TypeVar("T", bound=TracepointContext)

    class _Tracepoint(Protocol):
        def __call__(self, function: Callable[[T], R], /) -> Program[[T], R]: ...

    class _Probe(Protocol):
        @overload
        def __call__(self, function: Callable[Concatenate[PtRegs, P], R], /) -> Program[Concatenate[PtRegs, P], R]: ...
        @overload
        def __call__(self, function: Callable[Concatenate[A, P], R], /) -> Program[Concatenate[A, P], R]: ...
        @overload
        def __call__(self, function: Callable[[], R], /) -> Program[[], R]: ...

    class _RawTracepoint(Protocol):
        @overload
        def __call__(
            self, function: Callable[Concatenate[RawTracepointContext, P], R], /
        ) -> Program[Concatenate[RawTracepointContext, P], R]: ...
        @overload
        def __call__(self, function: Callable[Concatenate[A, P], R], /) -> Program[Concatenate[A, P], R]: ...
        @overload
        def __call__(self, function: Callable[[], R], /) -> Program[[], R]: ...

    class _Xdp(Protocol):
        def __call__(self, function: Callable[[XdpContext], XDP], /) -> Program[[XdpContext], XDP]: ...


__all__ = ["Hook", "kprobe", "kretprobe", "raw_tp", "tracepoint", "uprobe", "uretprobe", "xdp"]

# Offsets in struct pt_regs, x86-64: the arguments di si dx cx r8 r9 of a function, and its result in ax.
_ARGUMENTS = (112, 104, 96, 88, 72, 64)
_RESULT = (80,)
_RAW_ARGUMENTS = tuple(range(0, 96, 8))  # struct bpf_raw_tracepoint_args


class Hook:
    """A place where programs run. `spec(function)` is the ProgramSpec of a function that runs there."""

    __slots__ = ("attach", "name", "row", "section")

    def __init__(self, name: str, pattern: str, target: str, attach: dict[str, Any]) -> None:
        self.name = name
        self.row = SECTIONS[pattern]
        self.section = pattern.removesuffix("+") + (f"/{target}" if target else "")
        self.attach: dict[str, Any] = {"kind": name, **attach}

    def __call__(self, function: Callable[..., Any]) -> Program[..., Any]:
        return Program(function, self)

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        """The context of a function's first parameter, the kernel's struct, and the offsets of the other parameters."""
        raise NotImplementedError

    def returns(self, function: Callable[..., Any]) -> Type:
        """What the function returns: a number for the kernel, or nothing."""
        said = annotation_of(function, "return")
        if said is None or said is type(None):
            return NONE
        return I32

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        context, struct, offsets = self.context(function)
        return ProgramSpec(
            name=check_symbol(function.__name__, "program"),
            function=function,
            section=self.section,
            prog_type=self.row[0],
            context=context,
            context_struct=struct,
            arg_offsets=offsets,
            returns=self.returns(function),
            sleepable="SLEEPABLE" in self.row[2],
            attach=self.attach,
        )

    def first(self, function: Callable[..., Any]) -> tuple[str, Any]:
        """Name and annotation of the first parameter; ("", None) without one."""
        code = function.__code__
        if not code.co_argcount:
            return "", None
        name = code.co_varnames[0]
        return name, annotation_of(function, name)

    def wrong_context(self, function: Callable[..., Any], said: Any, wanted: str) -> DeclarationTypeError:
        code = function.__code__
        count = code.co_argcount
        name = code.co_varnames[0] if count else "ctx"
        result = getattr(function, "__annotations__", {}).get("return", "XDP" if self.name == "xdp" else None)
        lines = (f"def {function.__name__}({name}: {wanted}) -> {getattr(result, '__name__', result)}:",)
        if count > 1 and self.name in ("tracepoint", "xdp"):
            return DeclarationTypeError(
                f"@{self.name}: {function.__name__}() takes one parameter, the context, not {count}",
                lines=lines,
                site=site_in(function, code.co_varnames[1]),
            )
        spelled = "no parameter" if said is None and not count else (
            f"`{name}` without an annotation" if said is None else f"`{name}: {getattr(said, '__name__', said)}`"
        )  # fmt: skip
        return DeclarationTypeError(
            f"@{self.name}: {function.__name__}() must take `{name}: {wanted}`, not {spelled}",
            lines=lines,
            site=site_in(function, name),
        )


def site_in(function: Callable[..., Any], part: str) -> tuple[str, int, str]:
    """The site of a declaration's parameter, or of its "return"."""
    return function.__code__.co_filename, function.__code__.co_firstlineno, part


def _target(hook: str, name: Any, what: str, example: str) -> None:
    """Refuse a hook that is not given the name of its target: `@tracepoint` alone would decorate with the function."""
    if not isinstance(name, str) or not name:
        raise DeclarationTypeError(f"@{hook} needs {what}", help="write:", lines=(example,))


class _TracepointHook(Hook):
    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts import TracepointContext
        from pybpf.stdlib.tracepoints import context_of

        _, said = self.first(function)
        if function.__code__.co_argcount != 1 or not (isinstance(said, type) and issubclass(said, TracepointContext)):
            raise self.wrong_context(function, said, "TracepointContext")
        spec = context_of(self.attach["category"], self.attach["event"], said)
        return spec, spec.struct, ()


class _ArgumentsHook(Hook):
    """A hook whose function takes a context, or arguments, or a context and then arguments."""

    __slots__ = ("offsets", "wanted")

    def __init__(
        self, name: str, pattern: str, target: str, attach: dict[str, Any], wanted: Any, offsets: tuple[int, ...]
    ) -> None:
        super().__init__(name, pattern, target, attach)
        self.wanted = wanted
        self.offsets = offsets

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts import Context

        spec: ContextSpec = self.wanted.__bpf__
        _, said = self.first(function)
        has_context = isinstance(said, type) and issubclass(said, self.wanted)
        if isinstance(said, type) and not has_context and issubclass(said, Context):
            raise self.wrong_context(function, said, self.wanted.__name__)
        count = function.__code__.co_argcount - has_context
        if count > len(self.offsets):
            what = "the result" if len(self.offsets) == 1 else f"at most {len(self.offsets)} arguments"
            code = function.__code__
            raise DeclarationTypeError(
                f"@{self.name}: {function.__name__}() takes {count} values, but the hook gives {what}",
                help="leave this parameter out",
                site=site_in(function, code.co_varnames[has_context + len(self.offsets)]),
            )
        return (spec if has_context else None), spec.struct, self.offsets


class _RawTracepointHook(_ArgumentsHook):
    """A raw tracepoint. Where its arguments are known, no others can be named: attaching would fail."""

    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts import raw_context
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


def _is_kernel_struct(annotation: Any) -> bool:
    return type(getattr(annotation, "__bpf__", None)).__name__ == "KernelType"


class _XdpHook(Hook):
    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts import XdpContext

        _, said = self.first(function)
        if function.__code__.co_argcount != 1 or not (isinstance(said, type) and issubclass(said, XdpContext)):
            raise self.wrong_context(function, said, "XdpContext")
        spec: ContextSpec = said.__bpf__  # type: ignore[attr-defined]
        return spec, spec.struct, ()

    def returns(self, function: Callable[..., Any]) -> Type:
        from pybpf.stdlib.actions import XDP

        if annotation_of(function, "return") is not XDP:
            name = function.__code__.co_varnames[0]
            raise DeclarationTypeError(
                f"@xdp: {function.__name__}() must be annotated to return XDP",
                help="write:",
                lines=(f"def {function.__name__}({name}: XdpContext) -> XDP:",),
                site=site_in(function, "return"),
            )
        kind: Type = XDP.__bpf__  # type: ignore[attr-defined]
        return kind


def _bare(name: str) -> str:
    last = name.replace("/", ":").rpartition(":")[2]
    return last if last.isidentifier() else "sched_switch"


_TRACEPOINT = '@tracepoint("sched:sched_switch")'


def _with_category(event: str) -> str:
    """The decorator with a tracepoint's full name, where its category was forgotten."""
    from pybpf.stdlib.tracepoints import names

    full = next((name for name in names() if name.partition(":")[2] == event), "")
    return f'@tracepoint("{full}")' if full else _TRACEPOINT


def tracepoint(name: str) -> _Tracepoint:
    """A kernel tracepoint, `@tracepoint("syscalls:sys_enter_openat")`; a slash does as well as the colon."""
    _target("tracepoint", name, "the name of a tracepoint", _TRACEPOINT)
    category, _, event = name.replace("/", ":").partition(":")
    if not category or not event or ":" in event:
        raise DeclarationValueError(
            f"@tracepoint: {name!r} is not the name of a tracepoint",
            help="name its category too:",
            lines=(_with_category(name),),
        )
    hook = _TracepointHook("tracepoint", "tracepoint+", f"{category}/{event}", {"category": category, "event": event})
    return hook


def raw_tp(name: str) -> _RawTracepoint:
    """A raw tracepoint, `@raw_tp("sys_enter")`: the arguments of the kernel's trace_NAME(), without a record."""
    from pybpf.stdlib.contexts import RawTracepointContext

    _target("raw_tp", name, "the name of a tracepoint", '@raw_tp("sched_switch")')
    if not name.isidentifier():
        raise DeclarationValueError(
            f"@raw_tp: {name!r} is not the name of a raw tracepoint",
            help="leave out the category:" if ":" in name or "/" in name else "write:",
            lines=(f'@raw_tp("{_bare(name)}")',),
        )
    return _RawTracepointHook("raw_tp", "raw_tp+", name, {"event": name}, RawTracepointContext, _RAW_ARGUMENTS)  # type: ignore[return-value]


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
    from pybpf.stdlib.contexts import PtRegs

    if not isinstance(binary, str) or not binary or not symbol:
        raise DeclarationValueError(
            f"@{name} takes a binary and a function", help="write:", lines=(f'@{name}("libc", "malloc")',)
        )
    file = _SONAMES.get(binary.removeprefix("lib"), binary)
    target = f"{file}:{symbol}" + (f"+{offset:#x}" if offset else "")
    attach = {"binary": file, "symbol": symbol, "offset": offset, "retprobe": name == "uretprobe"}
    return _ArgumentsHook(name, f"{name}+", target, attach, PtRegs, offsets)  # type: ignore[return-value]


def _kernel_probe(name: str, function: str, offset: int, offsets: tuple[int, ...]) -> _Probe:
    from pybpf.stdlib.contexts import PtRegs

    _target(name, function, "the name of a kernel function", f'@{name}("do_unlinkat")')
    target = function + (f"+{offset:#x}" if offset else "")
    attach = {"function": function, "offset": offset, "retprobe": name == "kretprobe"}
    return _ArgumentsHook(name, f"{name}+", target, attach, PtRegs, offsets)  # type: ignore[return-value]


if TYPE_CHECKING:

    @overload
    def xdp(function: Callable[[XdpContext], XDP], /) -> Program[[XdpContext], XDP]: ...
    @overload
    def xdp(*, frags: bool = False) -> _Xdp: ...
    def xdp(function: Callable[[XdpContext], XDP] | None = None, /, *, frags: bool = False) -> Any:
        """Frames as the driver receives them, before the network stack. `frags=True`: frames in several buffers too."""

else:

    def xdp(function=None, /, *, frags=False):
        """Frames as the driver receives them, before the network stack. `frags=True`: frames in several buffers too."""
        hook = _XdpHook("xdp", "xdp.frags" if frags else "xdp", "", {"frags": frags})
        return hook if function is None else hook(function)
