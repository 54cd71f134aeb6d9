"""Hooks whose arguments the kernel describes by BTF: `@tp_btf`, `@fentry`, `@fexit`.

The parameters are the arguments, in order, each of the struct or number that it is in C:

    @tp_btf("sched_switch")
    def switch(preempt: bool, prev: task_struct, next: task_struct) -> None: ...

Pointers among them are the kernel's own: their members are loaded, without a probe read.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.record import replace
from pybpf.hooks.base import Hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    from typing_extensions import ParamSpec

    from pybpf.compiler.btf.kernel import Prototype
    from pybpf.compiler.schema.specs import ContextSpec, ProgramSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.program import Program

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)

    class _Typed(Protocol):
        def __call__(self, function: Callable[P, R], /) -> Program[P, R]: ...


__all__ = ["fentry", "fexit", "tp_btf"]

_MOST = 12  # MAX_BPF_FUNC_ARGS


class _BtfHook(Hook):
    """`signature` looks up the arguments by the target's name; `results`: one more, after them, is what it returned."""

    __slots__ = ("results", "signature", "target")

    def __init__(self, name: str, target: str, signature: Callable[[str], Prototype | None], results: bool) -> None:
        super().__init__(name, f"{name}+", target, {"target": target})
        self.signature = signature
        self.target = target
        self.results = results

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        types = self._types()
        count = function.__code__.co_argcount
        most = _MOST if types is None else len(types)
        if count > most:
            raise DeclarationTypeError(
                f"@{self.name}: {self.target} gives {most} values, but {function.__name__}() takes {count}"
            )
        if types is None and self.results:
            raise DeclarationValueError(
                f"@{self.name}: there is no BTF that describes {self.target}()",
                help="without its signature the place of the result is not known: use @fentry, or @kretprobe",
            )
        return None, "bpf_raw_tracepoint_args", tuple(range(0, 8 * most, 8))

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        return replace(super().spec(function), btf=True, arg_types=tuple(self._types() or ()))

    def _types(self) -> list[Type] | None:
        from pybpf.compiler.schema.types import NoneType

        found = self.signature(self.target)
        if found is None:
            self._check_name()
            return None
        types = [kind for _, kind in found.params]
        return [*types, found.result] if self.results and not isinstance(found.result, NoneType) else types

    def _check_name(self) -> None:
        """Refuse what looks like a misspelt tracepoint; others may be a module's, or of another kernel."""
        if self.name != "tp_btf":
            return
        from difflib import get_close_matches

        from pybpf.stdlib.tracepoints import raw_names

        near = get_close_matches(self.target, raw_names(), 1, 0.8)
        if near:
            raise DeclarationValueError(
                f"@tp_btf: there is no tracepoint {self.target!r}", help=f'did you mean @tp_btf("{near[0]}")?'
            )


def tp_btf(name: str) -> _Typed:
    """A tracepoint by its raw arguments, with their types: `@tp_btf("sched_switch")`. Linux 5.5."""
    from pybpf.stdlib.kernel.functions import raw_tracepoint

    return _made("tp_btf", name, "sched_switch", raw_tracepoint, False)


def fentry(function: str) -> _Typed:
    """The entry of a kernel function, with its arguments: `@fentry("tcp_connect")`. Linux 5.5."""
    from pybpf.stdlib.kernel.functions import function as signature

    return _made("fentry", function, "tcp_connect", signature, False)


def fexit(function: str) -> _Typed:
    """The return of a kernel function, with its arguments and, as one more parameter, its result. Linux 5.5."""
    from pybpf.stdlib.kernel.functions import function as signature

    return _made("fexit", function, "tcp_connect", signature, True)


def _made(name: str, target: str, example: str, signature: Callable[[str], Prototype | None], results: bool) -> _Typed:
    if not target.isidentifier():
        raise DeclarationValueError(f"@{name}: {target!r} is no name", help=f'as in @{name}("{example}")')
    return _BtfHook(name, target, signature, results)  # type: ignore[return-value]
