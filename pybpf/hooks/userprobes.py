"""Probes of user space: functions of programs and libraries, by the registers of the call; and USDT.

Arguments are those of C, in order, by any names: no table says what they are called.

    @uprobe("libc", "malloc")
    def allocated(size: u64) -> None: ...

    @usdt("libstdc++", "libstdcxx", "throw")
    def thrown(exception: u64, type: u64) -> None: ...
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.record import replace
from pybpf.hooks.probes import RegistersHook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Concatenate, Protocol, overload

    from pybpf.compiler.schema.specs import ContextSpec, ProgramSpec
    from pybpf.hooks.probes import A, P, Probe, R, SessionProbe
    from pybpf.program import Program
    from pybpf.stdlib.usdt import UsdtContext

    class UsdtProbe(Protocol):
        """Takes a function of the context and arguments, of arguments only, or of nothing."""

        @overload
        def __call__(
            self, function: Callable[Concatenate[UsdtContext, P], R], /
        ) -> Program[Concatenate[UsdtContext, P], R]: ...
        @overload
        def __call__(self, function: Callable[Concatenate[A, P], R], /) -> Program[Concatenate[A, P], R]: ...
        @overload
        def __call__(self, function: Callable[[], R], /) -> Program[[], R]: ...


__all__ = ["uprobe", "uretprobe", "usdt"]

_MOST = 12  # BPF_USDT_MAX_ARG_CNT


class _UserProbe(RegistersHook):
    __slots__ = ()

    def __init__(self, name: str, variant: str, target: str, attach: dict[str, Any], sleepable: bool) -> None:
        full = name + variant
        pattern = f"{full}.s+" if sleepable else f"{full}+"
        super().__init__(full, pattern, target, attach, "it", returning=name == "uretprobe")
        self.user = True


class _UserProbes:
    """`@uprobe(...)` and `@uretprobe(...)`, with `.multi` and, of the first, `.session`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def multi(self, binary: str, functions: str | Sequence[str], *, sleepable: bool = False) -> Probe:
        """Many functions at once: a pattern, `.multi("libc", "str*")`, or a list of names. Linux 6.6.

        Which functions there are is looked up when the program is attached; `ctx.func_ip()` and `ctx.cookie()` tell
        them apart.
        """
        return _many(self.name, ".multi", binary, functions, sleepable)  # type: ignore[return-value]


class _Uprobe(_UserProbes):
    __slots__ = ()

    def __call__(self, binary: str, symbol: str, *, offset: int = 0, sleepable: bool = False) -> Probe:
        """The entry of a user-space function, `@uprobe("libc", "malloc")`: a library's name, or a path.

        `symbol` may name a version, as in "memcpy@GLIBC_2.2.5". A `sleepable` program may read memory that is not
        there yet, `bpf_copy_from_user` (Linux 6.0).
        """
        return _one("uprobe", binary, symbol, offset, sleepable)  # type: ignore[return-value]

    def session(self, binary: str, functions: str | Sequence[str], *, sleepable: bool = False) -> SessionProbe:
        """Entry and return of many functions, by one program. Linux 6.13.

        The program runs at the entry and, if it answers 0 there, at the return: `ctx.is_return()` tells which it is.
        """
        return _many("uprobe", ".session", binary, functions, sleepable)


class _Uretprobe(_UserProbes):
    __slots__ = ()

    def __call__(self, binary: str, symbol: str, *, sleepable: bool = False) -> Probe:
        """The return of a user-space function; the parameter after the context is its result."""
        return _one("uretprobe", binary, symbol, 0, sleepable)  # type: ignore[return-value]


uprobe = _Uprobe("uprobe")
uretprobe = _Uretprobe("uretprobe")

# Libraries whose file name is the same on every glibc system. The section has to name the file for other loaders; for
# other libraries it says what the user said, and our runtime finds the file.
_SONAMES = {"c": "libc.so.6", "m": "libm.so.6", "pthread": "libpthread.so.0", "dl": "libdl.so.2"}


def _file(binary: str) -> str:
    return _SONAMES.get(binary.removeprefix("lib"), binary)


def _one(name: str, binary: str, symbol: str, offset: int, sleepable: bool) -> _UserProbe:
    if not isinstance(binary, str) or not binary or not isinstance(symbol, str) or not symbol:
        raise DeclarationValueError(
            f"@{name} takes a binary and a function", help="write:", lines=(f'@{name}("libc", "malloc")',)
        )
    if "*" in symbol or "?" in symbol:
        lines = (f'@{name}.multi("{binary}", "{symbol}")',)
        raise DeclarationValueError(f"@{name}: {symbol!r} is a pattern", help="probe many functions with:", lines=lines)
    file = _file(binary)
    target = f"{file}:{symbol}" + (f"+{offset:#x}" if offset else "")
    return _UserProbe(name, "", target, {"binary": file, "symbol": symbol, "offset": offset}, sleepable)


def _many(name: str, variant: str, binary: str, functions: str | Sequence[str], sleepable: bool) -> _UserProbe:
    names = [functions] if isinstance(functions, str) else functions
    known = isinstance(names, (list, tuple)) and names and all(isinstance(each, str) and each for each in names)
    if not isinstance(binary, str) or not binary or not known:
        raise DeclarationTypeError(
            f"@{name}{variant} takes a binary, and a pattern of its functions or a list",
            help="write:",
            lines=(f'@{name}{variant}("libc", "str*")',),
        )
    file = _file(binary)
    target = f"{file}:{functions}" if isinstance(functions, str) else ""
    given = functions if isinstance(functions, str) else list(functions)
    return _UserProbe(name, variant, target, {"binary": file, "functions": given}, sleepable)


class _Usdt(RegistersHook):
    """The arguments are computed from what the loader wrote about the probe (`pybpf.stdlib.usdt`)."""

    __slots__ = ()

    def __init__(self, binary: str, provider: str, probe: str, sleepable: bool) -> None:
        pattern = "usdt.s+" if sleepable else "usdt+"
        attach = {"binary": binary, "provider": provider, "probe": probe}
        super().__init__("usdt", pattern, f"{binary}:{provider}:{probe}", attach, f"{provider}:{probe}")
        self.user = True
        from pybpf.stdlib.usdt import UsdtContext

        self.wanted = UsdtContext
        self.offsets = (0,) * _MOST

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        from pybpf.stdlib.usdt import ARGUMENTS, CONTEXT

        made = super().spec(function)
        if function.__code__.co_argcount == (made.context is not None):
            context: ContextSpec | None = made.context
            if context is None:
                return made
        return replace(made, arg_offsets=(), arg_values=tuple(ARGUMENTS), values_from=CONTEXT)


def usdt(binary: str, provider: str, name: str, *, sleepable: bool = False) -> UsdtProbe:
    """A probe that a program or library declares itself, `@usdt("libstdc++", "libstdcxx", "throw")`.

    Parameters after the context are its arguments, in order, at most 12. Linux 5.15 for more than a few places.
    """
    parts = (binary, provider, name)
    if not all(isinstance(part, str) and part and ":" not in part for part in parts):
        raise DeclarationValueError(
            "@usdt takes a binary, a provider and the name of a probe",
            help="write:",
            lines=('@usdt("libstdc++", "libstdcxx", "throw")',),
        )
    return _Usdt(_file(binary), provider, name, sleepable)  # type: ignore[return-value]
