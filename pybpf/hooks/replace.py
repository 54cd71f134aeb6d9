"""`@freplace("function")`: a program in the place of a function of another, loaded program.

    @freplace("verdict")
    def always(pkt: XdpContext) -> XDP:
        return XDP.DROP

    load(always, target_program=obj.programs["firewall"]).attach()

It has the parameters and the result of the function that it replaces, which is a global one (`@subprog(global_=True)`,
or any program itself): the context, and numbers. It may do what the other program may. Linux 5.6.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import BOOL, I32, NONE, BoolType, EnumType, IntType
from pybpf.hooks.base import Hook, needs_target, site_in
from pybpf.program import annotation_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    from typing_extensions import ParamSpec

    from pybpf.compiler.schema.specs import ContextSpec, ProgramSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.program import Program

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)

    class _Replaces(Protocol):
        def __call__(self, function: Callable[P, R], /) -> Program[P, R]: ...


__all__ = ["freplace"]

_MOST = 5  # registers R1 to R5

# The type of the program whose context that is; of several the one that may call least.
_TYPES = {
    "xdp_md": "XDP", "__sk_buff": "SOCKET_FILTER", "pt_regs": "KPROBE", "bpf_sock": "CGROUP_SOCK",
    "bpf_sock_addr": "CGROUP_SOCK_ADDR", "bpf_sock_ops": "SOCK_OPS", "sk_msg_md": "SK_MSG",
    "bpf_perf_event_data": "PERF_EVENT", "sk_reuseport_md": "SK_REUSEPORT", "bpf_sk_lookup": "SK_LOOKUP",
    "bpf_cgroup_dev_ctx": "CGROUP_DEVICE", "bpf_sysctl": "CGROUP_SYSCTL", "bpf_sockopt": "CGROUP_SOCKOPT",
    "bpf_nf_ctx": "NETFILTER",
}  # fmt: skip


class _ReplaceHook(Hook):
    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts.base import Context

        _, said = self.first(function)
        spec: ContextSpec | None = None
        if isinstance(said, type) and issubclass(said, Context):
            spec = said.__bpf__  # type: ignore[attr-defined]
        code = function.__code__
        count = code.co_argcount - (spec is not None)
        if code.co_argcount > _MOST:
            raise DeclarationTypeError(
                f"@freplace: {function.__name__}() takes {code.co_argcount} values, but functions take at most {_MOST}",
                site=site_in(function, code.co_varnames[_MOST]),
            )
        return spec, spec.struct if spec is not None else "", tuple(range(0, 8 * count, 8))

    def returns(self, function: Callable[..., Any]) -> Type:
        said = annotation_of(function, "return")
        if said is None or said is type(None):
            return NONE
        kind = I32 if said is int else BOOL if said is bool else getattr(said, "__bpf__", None)
        if not isinstance(kind, (IntType, BoolType, EnumType)):
            raise DeclarationTypeError(
                f"@freplace: {function.__name__}() must return what the function in its place does: a number",
                site=site_in(function, "return"),
            )
        return kind

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        made = super().spec(function)
        return replace(made, registers=True, prog_type=_TYPES.get(made.context_struct, made.prog_type))


def freplace(function: str) -> _Replaces:
    """In the place of a function of another program, which loading is told: `load(new, target_program=...)`."""
    needs_target("freplace", function, "the name of a function", '@freplace("verdict")')
    if not function.isidentifier():
        raise DeclarationValueError(f"@freplace: {function!r} is no name", help='as in @freplace("verdict")')
    hook = _ReplaceHook("freplace", "freplace+", function, {"target": function, "of_program": function})
    return hook  # type: ignore[return-value]
