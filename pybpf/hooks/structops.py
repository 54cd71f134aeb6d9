"""Tables of operations (struct_ops): a kernel struct of functions, some of them BPF programs.

    class Mine(StructOps, of=tcp_congestion_ops):
        name = "mine"

        @struct_ops
        def ssthresh(self, sk: tcp_sock) -> u32:
            return max(sk.snd_cwnd >> 1, 2)

    with load(Mine).attach():
        ...     # setsockopt(IPPROTO_TCP, TCP_CONGESTION, "mine")

`self` is the class itself: `self.name` is a constant. What a function is given and returns is what the kernel's struct
says; the other members are values. Which members of its arguments a program may change is the kernel's choice, table by
table (`_TABLES`).
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.specs import OpsSpec
from pybpf.compiler.schema.types import NONE, EnumType, IntType, NoneType, PtrType, Space, TextType, Type
from pybpf.hooks.base import Simple, is_number, site_in
from pybpf.hooks.btf import BtfHook
from pybpf.program import Program, annotation_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Protocol, TypeVar, overload

    from typing_extensions import ParamSpec

    from pybpf.compiler.btf.kernel import Prototype
    from pybpf.compiler.schema.specs import ProgramSpec
    from pybpf.stdlib.kernel.classes import KernelStruct

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)

    class _Plain(Protocol):
        def __call__(self, function: Callable[P, R], /) -> Program[P, R]: ...

    class _StructOps(Protocol):
        @overload
        def __call__(self, function: Callable[P, R], /) -> Program[P, R]: ...
        @overload
        def __call__(self, *, sleepable: bool = ...) -> _Plain: ...


__all__ = ["StructOps", "struct_ops"]

# Of a kernel struct's operations: which struct stands for another among the arguments, and what of each may be changed.
# net/ipv4/bpf_tcp_ca.c: bpf_tcp_ca_is_valid_access(), bpf_tcp_ca_btf_struct_access() of Linux 6.1.
_SOCK = "inet_conn.icsk_inet.sk."
_TABLES: dict[str, tuple[dict[str, str], dict[str, frozenset[str]]]] = {
    "tcp_congestion_ops": (
        {"sock": "tcp_sock"},
        {
            "tcp_sock": frozenset((
                "snd_cwnd", "snd_cwnd_cnt", "snd_cwnd_stamp", "snd_ssthresh", "ecn_flags", "app_limited",
                "inet_conn.icsk_ca_priv", "inet_conn.icsk_ack.pending", _SOCK + "sk_pacing_rate",
                _SOCK + "sk_pacing_status",
            )),
            "sock": frozenset(("sk_pacing_rate", "sk_pacing_status")),
            "inet_connection_sock": frozenset((
                "icsk_ca_priv", "icsk_ack.pending", "icsk_inet.sk.sk_pacing_rate", "icsk_inet.sk.sk_pacing_status",
            )),
        },
    ),
}  # fmt: skip
_NOT_GIVEN = ("owner", "list", "key")  # the kernel fills them in


class _OperationHook(BtfHook):
    """A function of the table that `bind` names."""

    __slots__ = ("table",)

    def __init__(self, sleepable: bool = False) -> None:
        super().__init__("struct_ops", f"struct_ops{'.s' if sleepable else ''}+", "", self._signature)
        self.table: Any = None

    def bind(self, table: Any, member: str) -> None:
        self.table = table
        self.target = member
        self.attach = {**self.attach, "target": member}
        self.section = f"{self.section}/{_symbol(table, member)}"

    def _signature(self, member: str) -> Prototype | None:
        from pybpf.stdlib.kernel.names import operation

        return operation(self.table.__bpf_of__.name, member)

    def _leading(self, function: Callable[..., Any]) -> int:
        return 1

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        if self.table is None:
            raise DeclarationTypeError(
                f"@struct_ops: {function.__name__}() belongs to no table",
                help="write it in the body of a class:",
                lines=("class Mine(StructOps, of=tcp_congestion_ops):",),
            )
        ops = self.table.__bpf__
        if not function.__code__.co_argcount:
            raise DeclarationTypeError(
                f"@struct_ops: {function.__name__}() is a method, and takes `self`",
                help=f"def {function.__name__}(self):",
            )
        made = super().spec(function)
        alias, _ = _TABLES.get(ops.struct, ({}, {}))
        names = function.__code__.co_varnames[1:]
        kinds = [self._aliased(function, names[n], kind, alias) for n, kind in enumerate(made.arg_types)]
        return replace(made, name=ops.programs[self.target], arg_types=tuple(kinds), ops=ops)

    def _aliased(
        self, function: Callable[..., Any], name: str, kind: Type | None, alias: dict[str, str]
    ) -> Type | None:
        """The type of an argument: the struct that stands for it where the parameter is not annotated with its own."""
        if not isinstance(kind, PtrType) or not isinstance(kind.pointee, KernelType):
            return kind
        other = alias.get(kind.pointee.name)
        said = getattr(annotation_of(function, name), "__bpf__", None)
        if other is None or (isinstance(said, KernelType) and said.name.partition("___")[0] == kind.pointee.name):
            return kind
        from pybpf.stdlib.kernel.names import lookup

        found = getattr(lookup(other), "__bpf__", None)
        return PtrType(found, Space.KERNEL) if isinstance(found, KernelType) else kind

    def returns(self, function: Callable[..., Any]) -> Type:
        said = annotation_of(function, "return")
        found = self._found()
        name = f"{self.table.__name__}.{self.target}"
        void = said is None or said is type(None)
        if found is not None and isinstance(found.result, NoneType) != void:
            wanted = "None" if isinstance(found.result, NoneType) else str(found.result)
            raise DeclarationTypeError(
                f"@struct_ops: {name}() must be annotated to return {wanted}, as the kernel's struct says",
                site=site_in(function, "return"),
            )
        if void:
            return NONE
        kind: Any = getattr(said, "__bpf__", None)
        if isinstance(kind, (IntType, EnumType)):
            return kind
        if not is_number(said) and said is not bool:
            raise DeclarationTypeError(
                f"@struct_ops: {name}() must return a number or None", site=site_in(function, "return")
            )
        return found.result if found is not None and isinstance(found.result, IntType) else super().returns(function)


struct_ops: _StructOps = Simple(
    "struct_ops", _OperationHook, ("sleepable",), doc="A function of a table of operations, in the class's body."
)


def _symbol(table: Any, member: str) -> str:
    return f"{table.__name__}_{member}"


class _Table(type):
    """Gives a table's class its `__bpf__`, an OpsSpec; not before it is asked for, since that reads BTF."""

    @property
    def __bpf__(cls) -> OpsSpec:
        made: OpsSpec | None = cls.__dict__.get("__bpf_made__")
        if made is None:
            if "__bpf_of__" not in cls.__dict__:
                raise AttributeError("__bpf__")
            made = cls.__bpf_made__ = _spec(cls)
        return made

    def __repr__(cls) -> str:
        return f"<table {cls.__name__}>" if "__bpf_of__" in cls.__dict__ else type.__repr__(cls)


class StructOps(metaclass=_Table):
    """Base of tables: `class Mine(StructOps, of=tcp_congestion_ops)`, with the struct out of `pybpf.kernel`. Linux 5.6.

    Functions of the struct are decorated with `@struct_ops`; other members are given values: numbers, text.
    """

    if TYPE_CHECKING:
        __bpf_of__: ClassVar[KernelType]

        def __init_subclass__(cls, *, of: type[KernelStruct]) -> None: ...

    else:

        def __init_subclass__(cls, *, of=None):
            kind = getattr(of, "__bpf__", None)
            if not isinstance(kind, KernelType):
                raise DeclarationTypeError(
                    f"{cls.__name__}: of which of the kernel's structs?",
                    help="name it:",
                    lines=(f"class {cls.__name__}(StructOps, of=tcp_congestion_ops):",),
                )
            cls.__bpf_of__ = kind
            for name, member in list(vars(cls).items()):
                if isinstance(member, Program) and isinstance(member.hook, _OperationHook):
                    member.hook.bind(cls, name)


def _spec(cls: Any) -> OpsSpec:
    """What a class declares. Raises DeclarationTypeError, DeclarationValueError."""
    struct: KernelType = cls.__bpf_of__
    known = {member.name: member.type for member in struct.members if member.name}
    programs: dict[str, str] = {}
    values: dict[str, tuple[Type, bytes]] = {}
    for name, given in vars(cls).items():
        if name.startswith("__"):
            continue
        if name not in known or name in _NOT_GIVEN:
            from difflib import get_close_matches

            near = get_close_matches(name, [each for each in known if each not in _NOT_GIVEN], 1)
            raise DeclarationTypeError(
                f"{cls.__name__}: struct {struct.name} has no member {name!r} to be given",
                help=f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}",
            )
        kind = known[name]
        if isinstance(given, Program):
            if not isinstance(given.hook, _OperationHook):
                raise DeclarationTypeError(f"{cls.__name__}.{name} runs at another hook, @{given.hook.name}")
            if not isinstance(kind, PtrType):
                raise DeclarationTypeError(f"{cls.__name__}.{name} is no function in struct {struct.name}, but {kind}")
            programs[name] = _symbol(cls, name)
        elif callable(given) or isinstance(kind, PtrType):
            raise DeclarationTypeError(
                f"{cls.__name__}.{name} is a function in struct {struct.name}", help="decorate it with @struct_ops"
            )
        else:
            values[name] = kind, _bytes(cls, name, kind, given)
    if not programs:
        raise DeclarationValueError(f"{cls.__name__} has no operation", help="decorate functions with @struct_ops")
    return OpsSpec(cls.__name__, struct.name, programs, values, _TABLES.get(struct.name, ({}, {}))[1], cls)


def _bytes(cls: Any, name: str, kind: Type, given: Any) -> bytes:
    from pybpf.stdlib.variables import encode

    if isinstance(kind, TextType) and isinstance(given, str) and len(given.encode()) >= kind.size:
        raise DeclarationValueError(f"{cls.__name__}.{name}: {given!r} is longer than {kind.size - 1} bytes")
    return encode(kind, given, f"{cls.__name__}.{name}")
