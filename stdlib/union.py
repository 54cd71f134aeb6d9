"""`class Addr(Union)`: members that share their memory, as C's unions do.

    class Addr(Union):
        v4: be32
        v6: Bytes[L[16]]

    Addr(v4=ipv4("10.0.0.1"))       # one member; the other bytes are zero
    Addr()                          # all zero

Reading another member than the one stored shows the same bytes as that member. In plain Python an instance keeps the
member it holds as an object, so that `u.pair.x = 1` changes it, and its bytes for the others.

A bool and a `Text` say something about their bytes (0 or 1; zeroes after the NUL) that another member could break, so
they can't be members; take a u8, or Bytes.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.types import ArrayType, BitField, BoolType, StructType, TextType, size_of
from pybpf.stdlib.struct import StructMeta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self

    from pybpf.compiler.schema.types import Type

__all__ = ["Union"]


class _UnionMeta(StructMeta):
    """As for structs, with members that are looked up in the shared bytes."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, packed: bool | None = None
    ) -> _UnionMeta:
        if not bases:  # Union itself
            return type.__new__(mcls, name, bases, namespace)
        made = super().__new__(mcls, name, bases, namespace, packed=packed)
        for member in vars(made)["__bpf_fields__"]:
            type.__setattr__(made, member, _Member(member))
        return made  # type: ignore[return-value]


class _Member:
    """One member of a union, as an attribute of its instances."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        if instance._name != self.name:
            from pybpf.stdlib.encoding import from_bytes

            raw = instance.__bpf_pack__()
            kind = type(instance).__bpf__.field(self.name).type
            instance._raw, instance._name, instance._value = raw, self.name, from_bytes(kind, raw[: size_of(kind)])
        return instance._value

    def __set__(self, instance: Any, value: Any) -> None:
        instance._raw = instance.__bpf_pack__()  # what the new member is too short for stays
        instance._name, instance._value = self.name, value


if TYPE_CHECKING:

    class Union(metaclass=_UnionMeta):
        """Base of all unions; see the module's docstring."""

        def __init__(self, **member: Any) -> None: ...
        def __init_subclass__(cls, *, packed: bool = ...) -> None: ...
        def __eq__(self, other: object, /) -> bool: ...
        def __hash__(self) -> int: ...

        @classmethod
        def at(cls, address: int, /) -> Self:
            """The union that lies at a packet address already compared with `data_end`: a reference, no copy."""
            ...

else:

    class Union(metaclass=_UnionMeta):
        """Base of all unions; see the module's docstring."""

        __slots__ = ("_name", "_raw", "_value")

        def __init__(self, **member):
            cls = type(self)
            if len(member) > 1:
                raise TypeError(f"{cls.__name__}() takes one member, not {len(member)}: they share their memory")
            for name in member:
                if name not in cls.__bpf_fields__:
                    raise TypeError(f"{cls.__name__}() got an unexpected keyword argument {name!r}")
            self._raw, self._name, self._value = None, "", None
            for name, value in member.items():
                setattr(self, name, value)

        def __bpf_pack__(self):
            """All bytes, those of the member it holds among them."""
            from pybpf.stdlib.encoding import to_bytes

            kind = type(self).__bpf__
            raw = getattr(self, "_raw", None) or bytes(kind.size)
            if getattr(self, "_name", ""):
                front = to_bytes(kind.field(self._name).type, self._value)
                raw = front + raw[len(front) :]
            return raw

        @classmethod
        def __bpf_unpack__(cls, raw):
            made = object.__new__(cls)
            made._raw, made._name, made._value = bytes(raw), "", None
            return made

        def __eq__(self, other):
            return self.__bpf_pack__() == other.__bpf_pack__() if type(other) is type(self) else NotImplemented

        def __hash__(self):
            return hash((type(self).__name__, self.__bpf_pack__()))

        def __repr__(self):
            cls = type(self)
            shown = self._name or next(iter(cls.__bpf_fields__))
            return f"{cls.__name__}({shown}={getattr(self, shown)!r})"

        def __copy__(self):
            return type(self).__bpf_unpack__(self.__bpf_pack__())

        @classmethod
        def at(cls, address):
            from pybpf.stdlib.simulation import current

            return current(f"{cls.__name__}.at()").struct_at(cls, address)

    Union.__bpf_union__ = True


def check_member(union: str, name: str, kind: Type | BitField) -> None:
    """Refuse a member whose bytes another one could make meaningless."""
    if isinstance(kind, BitField):
        raise DeclarationTypeError(
            f"{union}.{name}: a bit field in a union",
            help="put it in a Struct, and that in the union:",
            lines=("class Flags(Struct):", f"    {name}: Bits[{kind.type}, L[{kind.bits}]]"),
        )
    if isinstance(kind, (BoolType, TextType)):
        other = "u8" if isinstance(kind, BoolType) else f"Bytes[L[{kind.size}]]"
        raise DeclarationTypeError(
            f"{union}.{name}: a {kind} in a union, where another member may write over its bytes",
            help="take its bytes:",
            lines=(f"{name}: {other}",),
        )
    if isinstance(kind, ArrayType):
        check_member(union, name, kind.element)
    if isinstance(kind, StructType):
        for field in kind.fields:
            check_member(union, f"{name}.{field.name}", field.type)
