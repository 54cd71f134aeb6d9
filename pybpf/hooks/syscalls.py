"""`@syscall`: programs that user space calls, with a Struct that both may change. Linux 5.14.

    class Args(Struct):
        a: u32
        sum: u32

    @syscall
    def add(ctx: Args) -> int:
        ctx.sum = ctx.a + 1
        return 0

    answer, args = load(add).programs["add"].run(Args(a=1))

They may sleep, and may make maps and load programs (bpf_sys_bpf).
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.specs import ContextSpec, CtxField
from pybpf.compiler.schema.types import I32, NONE, StructType, is_aggregate, size_of
from pybpf.hooks.base import Hook, Simple, is_number, site_in
from pybpf.program import annotation_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar, overload

    from pybpf.compiler.schema.types import Type
    from pybpf.program import Program
    from pybpf.stdlib.struct import Struct

    S = TypeVar("S", bound=Struct)
    R = TypeVar("R", bound="int | None")

    class _Syscall(Protocol):
        @overload
        def __call__(self, function: Callable[[S], R], /) -> Program[[S], R]: ...
        @overload
        def __call__(self, function: Callable[[], R], /) -> Program[[], R]: ...


__all__ = ["syscall"]

_LARGEST = 65535  # bytes: U16_MAX, bpf_prog_test_run_syscall() in net/bpf/test_run.c


class _SyscallHook(Hook):
    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        name, said = self.first(function)
        if not function.__code__.co_argcount:
            return None, "bpf_syscall_context", ()
        kind = getattr(said, "__bpf__", None)
        if function.__code__.co_argcount != 1 or not isinstance(kind, StructType) or kind.opaque:
            raise self.wrong_context(function, said, "Args")
        if kind.size > _LARGEST:
            raise DeclarationTypeError(
                f"@syscall: {kind.name} takes {kind.size} bytes, and a context at most {_LARGEST}",
                help="keep what is large in a map",
                site=site_in(function, name),
            )
        fields = []
        for field in kind.fields:
            if field.bits or kind.union:
                raise DeclarationTypeError(
                    f"@syscall: {kind.name} has {'bit fields' if field.bits else 'shared bytes'}, which no context has",
                    help="put it into a field of its own, inside another Struct",
                    site=site_in(function, name),
                )
            role = "array" if is_aggregate(field.type) else ""
            fields.append(CtxField(field.name, field.type, field.offset, size_of(field.type), role, True))
        return ContextSpec(kind.name, tuple(fields), (), said), kind.name, ()

    def returns(self, function: Callable[..., Any]) -> Type:
        said = annotation_of(function, "return")
        if said is None or said is type(None):
            return NONE
        if not is_number(said):
            raise DeclarationTypeError(
                f"@syscall: {function.__name__}() must be annotated to return int or None",
                site=site_in(function, "return"),
            )
        return I32


def _make() -> _SyscallHook:
    return _SyscallHook("syscall", "syscall", "", {})


syscall: _Syscall = Simple("syscall", _make, doc="A program that user space calls, with a Struct that both may change.")
