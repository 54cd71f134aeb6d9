"""The Python objects that stand for a kernel's types: what `pybpf.kernel` gives for a name.

    struct, union      a class whose `__bpf__` is the KernelType
    enum               a class like an IntEnum, with a constant for each enumerator; its `__bpf__` is the EnumType
    typedef of an int  the width: i32 for pid_t
    enumerator         a member of its enum

`class task_struct___old(KernelStruct)` is a struct of the members that a program needs; declared.py reads it.
"""

from __future__ import annotations

import sys

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import BoolType, EnumType, IntType, Type
from pybpf.stdlib import types as widths
from pybpf.stdlib.annotations import annotated, scope_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Annotated, Any, Generic, TypeAlias, TypeVar, overload

    from typing_extensions import Self

    T = TypeVar("T")

__all__ = ["Embedded", "KernelEnum", "KernelStruct", "Pointer", "class_for"]


class _KernelMeta(type):
    """Gives a class its `__bpf__`."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, union: bool = False
    ) -> _KernelMeta:
        if bases and "__bpf_type__" not in namespace:  # the user's
            fields = annotated(namespace)
            for base in bases:
                if base is not KernelStruct:
                    raise DeclarationTypeError(
                        f"{name} can't inherit from {base.__name__}", help=f"class {name}(KernelStruct):"
                    )
            frame = sys._getframe(1)
            names, local = scope_of(frame)
            namespace["__bpf_fields__"] = fields
            namespace["__bpf_union__"] = union
            namespace["__bpf_scope__"] = names, local
            namespace["__bpf_site__"] = (frame.f_code.co_filename, frame.f_lineno)
            made = super().__new__(mcls, name, bases, namespace)
            local[name] = made  # it may point to itself
            return made
        return super().__new__(mcls, name, bases, namespace)

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, union: bool = False) -> None:
        super().__init__(name, bases, namespace)

    @property
    def __bpf__(cls) -> KernelType:
        """The type. Raises DeclarationTypeError for a declaration of the user's that is wrong."""
        made: KernelType | None = cls.__dict__.get("__bpf_type__")
        if made is None:
            if "__bpf_fields__" not in cls.__dict__:
                raise AttributeError("__bpf__")
            from pybpf.stdlib.kernel.declared import declared

            made = declared(cls)
        return made

    def __repr__(cls) -> str:
        made = cls.__dict__.get("__bpf_type__")
        return f"<kernel {made.tag} {made.name}>" if made is not None else type.__repr__(cls)


if TYPE_CHECKING:

    class KernelStruct(metaclass=_KernelMeta):
        """A struct or union of the kernel. In a program, `task_struct(address)` says that one lies at an address.

        In a simulation `task_struct(pid=7, real_parent=parent)` is one: members that are not given are zero.
        """

        @overload
        def __init__(self, address: int | KernelStruct, /) -> None: ...
        @overload
        def __init__(self, **members: Any) -> None: ...
        def __init__(self, *address: Any, **members: Any) -> None: ...
        def __int__(self) -> int:
            """The address: `u64(task)`."""
            ...

        @classmethod
        def at(cls, address: int | KernelStruct, /) -> Self:
            """What lies at an address of the kernel, or where another pointer points; in programs."""
            ...

        @classmethod
        def at_user(cls, address: int | KernelStruct, /) -> Self:
            """What lies at an address of the process; in programs."""
            ...

        def __init_subclass__(cls, *, union: bool = ...) -> None: ...

    class Pointer(int, Generic[T]):
        """An address in the kernel of a number, or of several one after the other. `Pointer[None]` is `void *`."""

        def __getitem__(self, index: int, /) -> T: ...

    Embedded: TypeAlias = Annotated[T, "in place"]

else:

    class KernelStruct(metaclass=_KernelMeta):
        """A struct or union of the kernel. In a program, `task_struct(address)` says that one lies at an address."""

        __slots__ = ("__dict__",)

        def __init__(self, *address, **members):
            if not address:
                for name in members:
                    if type(self).__bpf__.find(name) is None:
                        raise TypeError(f"{type(self).__name__} has no member {name!r}")
                self.__dict__.update(members)
                return
            from pybpf.stdlib.simulation import current

            current(f"{type(self).__name__}()")
            raise RuntimeError(f"{type(self).__name__}() stands for kernel memory, which there is none of here")

    class Pointer(int):
        """`Pointer[u32]`: in a KernelStruct, an address of numbers in the kernel. `Pointer[None]` is `void *`."""

        def __class_getitem__(cls, target):
            return type("Pointer", (Pointer,), {"__bpf_pointee__": target})

    class Embedded:
        """`Embedded[path]`: in a KernelStruct, a struct that lies in place, where `path` alone is a pointer to one."""

        def __class_getitem__(cls, target):
            return type("Embedded", (Embedded,), {"__bpf_embedded__": target})


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
    widths.adopt_enum(made, kind)
    return made
