"""The Python objects that stand for a kernel's types: what `pybpf.kernel` gives for a name.

    struct, union      a class whose `__bpf__` is the KernelType
    enum               a class like an IntEnum, with a constant for each enumerator; its `__bpf__` is the EnumType
    typedef of an int  the width: i32 for pid_t
    enumerator         a member of its enum

`class task_struct___old(KernelStruct)` is a struct of the members that a program needs; flavours.py reads it.
"""

from __future__ import annotations

from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import BoolType, EnumType, IntType, Type
from pybpf.stdlib import types as widths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["KernelEnum", "KernelStruct", "class_for"]


class _KernelMeta(type):
    """Gives a class its `__bpf__`."""

    @property
    def __bpf__(cls) -> KernelType:
        made: KernelType | None = cls.__dict__.get("__bpf_type__")
        if made is None:
            raise AttributeError("__bpf__")
        return made

    def __repr__(cls) -> str:
        made = cls.__dict__.get("__bpf_type__")
        return f"<kernel {made.tag} {made.name}>" if made is not None else type.__repr__(cls)


class KernelStruct(metaclass=_KernelMeta):
    """A struct or union of the kernel. In a program, `task_struct(address)` says that one lies at an address."""

    __slots__ = ()


class _EnumMeta(type):
    __members__: dict[str, Any]

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls.__members__.values())

    def __len__(cls) -> int:
        return len(cls.__members__)

    def __getitem__(cls, name: str) -> Any:
        return cls.__members__[name]

    def __contains__(cls, value: object) -> bool:
        return any(value == member for member in cls.__members__.values())

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) == 1:
            for member in cls.__members__.values():
                if member == args[0]:
                    return member
        raise ValueError(f"{args[0] if args else ''!r} is not a value of {cls.__name__}")

    def __repr__(cls) -> str:
        return f"<kernel enum {cls.__name__}>"


class KernelEnum(int, metaclass=_EnumMeta):
    """A value of one of the kernel's enumerations: an int with a `name`.

    Not enum.IntEnum, whose import and whose classes take milliseconds; used in the same way.
    """

    __bpf__: EnumType
    __members__: dict[str, Any] = {}
    name: str

    @property
    def value(self) -> int:
        return int(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self.name}: {int(self)}>"

    def __reduce__(self) -> Any:
        return int, (int(self),)

    __str__ = int.__repr__


def class_for(kind: Type, name: str) -> Any:
    """The object for a type that has this name in C; None for what a program can't name: functions, pointers."""
    if isinstance(kind, KernelType):
        return _KernelMeta(kind.name, (KernelStruct,), {"__slots__": (), "__bpf_type__": kind, "__module__": _HOME})
    if isinstance(kind, EnumType):
        return _enum(kind)
    if isinstance(kind, IntType):
        return getattr(widths, str(kind), None)
    return bool if isinstance(kind, BoolType) else None


_HOME = "pybpf.kernel"
_TAKEN = frozenset(dir(KernelEnum)) | {"name"}  # enumerators of these names are found by subscript only


def _enum(kind: EnumType) -> Any:
    made: Any = _EnumMeta(kind.name, (KernelEnum,), {"__bpf__": kind, "__module__": _HOME, "__members__": {}})
    for name, value in kind.members:
        member = int.__new__(made, value)
        member.name = name
        made.__members__[name] = member
        if name not in _TAKEN:
            setattr(made, name, member)
    return made
