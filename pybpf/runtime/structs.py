"""Python classes for structs that no class declares, as in objects of other compilers."""

from __future__ import annotations

from typing import Any

from pybpf.compiler.schema.types import ArrayType, BoolType, BytesType, StructType, TextType, Type

__all__ = ["PlainStruct", "class_for"]


class PlainStruct:
    """Base of the classes made for structs that no Python class declares: attributes, `==` and a repr."""

    __slots__ = ("__dict__",)
    __bpf__: StructType

    def __init__(self, **values: Any) -> None:
        names = [field.name for field in self.__bpf__.fields]
        for name in values:
            if name not in names:
                raise TypeError(f"struct {self.__bpf__.name} has no field {name!r}; it has {', '.join(names)}")
        for field in self.__bpf__.fields:
            setattr(self, field.name, values.get(field.name, _zero(field.type)))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash((self.__bpf__.name, *[str(value) for value in self.__dict__.values()]))

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{self.__bpf__.name}({inner})"


_plain: dict[StructType, Any] = {}


def class_for(kind: StructType) -> Any:
    """The class of a struct's values: the declaring one, or a `PlainStruct`."""
    owner = getattr(kind, "owner", None)
    if owner is not None:
        return owner
    made = _plain.get(kind)
    if made is None:
        made = _plain[kind] = type(kind.name, (PlainStruct,), {"__bpf__": kind, "__slots__": ()})
    return made


def _zero(kind: Type) -> Any:
    """The Python value whose bytes are all zero."""
    if isinstance(kind, ArrayType):
        return [_zero(kind.element) for _ in range(kind.length)]
    if isinstance(kind, StructType):
        return class_for(kind)()
    if isinstance(kind, (TextType, BytesType)):
        return "" if isinstance(kind, TextType) else bytes(kind.size)
    return False if isinstance(kind, BoolType) else 0
