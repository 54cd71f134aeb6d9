"""Why a Python value does not fit a type: the exact error, naming the map and the field.

The codec packs optimistically and comes here only when that failed.
"""

from __future__ import annotations

from typing import Any

from pybpf.compiler.schema.types import (
    ArrayType,
    BoolType,
    BytesType,
    EnumType,
    Field,
    IntType,
    OptionalType,
    PtrType,
    StructType,
    TextType,
    Type,
)
from pybpf.runtime.structs import class_for

__all__ = ["bits_range", "explain_misfit"]


def bits_range(field: Field) -> tuple[int, int]:
    if isinstance(field.type, IntType) and field.type.signed:
        return -(1 << field.bits - 1), (1 << field.bits - 1) - 1
    return 0, (1 << field.bits) - 1


def explain_misfit(kind: Type, value: Any, where: str) -> None:
    """Raise the exact error for a value that did not encode; returns if there is nothing wrong with it."""
    match kind:
        case BoolType():
            if value is not True and value is not False and value not in (0, 1):
                raise TypeError(f"{where}: expected a bool, not {_shown(value)}")
        case EnumType():
            _check_int(kind.base.min, kind.base.max, f"enum {kind.name}", value, where)
        case IntType():
            _check_int(kind.min, kind.max, str(kind), value, where)
        case PtrType():
            _check_int(0, (1 << 64) - 1, "address", value, where)
        case OptionalType():
            from pybpf.runtime.arenamemory import address_of

            assert isinstance(kind.inner, PtrType)
            try:
                address_of(value, kind.inner.pointee)
            except TypeError as error:
                raise TypeError(f"{where}: {error}") from None
        case TextType():
            if not isinstance(value, str):
                raise TypeError(f"{where}: expected a str ({kind}), not {_shown(value)}")
            length = len(value.encode("utf-8", "surrogateescape"))
            if length > kind.size:
                raise ValueError(f"{where}: {_shown(value)} takes {length} bytes, {kind} holds {kind.size}")
            if "\0" in value:
                raise ValueError(f"{where}: {_shown(value)} has a NUL inside, where {kind} ends")
        case BytesType():
            if not isinstance(value, (bytes, bytearray, memoryview)):
                raise TypeError(f"{where}: expected bytes ({kind}), not {_shown(value)}")
            if len(value) != kind.size:
                raise ValueError(f"{where}: {len(value)} bytes given, {kind} holds exactly {kind.size}")
        case ArrayType():
            if isinstance(value, (str, dict)) or not hasattr(value, "__len__") or not hasattr(value, "__getitem__"):
                raise TypeError(f"{where}: expected a list of {kind.length} ({kind}), not {_shown(value)}")
            if len(value) != kind.length:
                raise ValueError(f"{where}: {len(value)} elements given, {kind} holds exactly {kind.length}")
            for index, item in enumerate(value):
                explain_misfit(kind.element, item, f"{where}[{index}]")
        case StructType():
            _diagnose_struct(kind, value, where)


def _diagnose_struct(kind: StructType, value: Any, where: str) -> None:
    if isinstance(value, dict):
        for name in value:
            if kind.field(name) is None:
                names = ", ".join(field.name for field in kind.fields)
                raise TypeError(f"{where}: struct {kind.name} has no field {name!r}; it has {names}")
        if kind.union and len(value) != 1:
            raise ValueError(f"{where}: union {kind.name} takes a dict with exactly one member")
    elif kind.union and isinstance(value, class_for(kind)) and hasattr(value, "__bpf_pack__"):
        held = kind.field(value._name)
        if held is not None:
            explain_misfit(held.type, value._value, f"{where}.{held.name}")
        return
    elif kind.union or not isinstance(value, class_for(kind)):
        takes = "a dict with one member" if kind.union else f"a {kind.name}"
        raise TypeError(f"{where}: expected {takes}, not {_shown(value)}")
    for field in kind.fields:
        if isinstance(value, dict):
            if field.name not in value:
                continue
            item = value[field.name]
        else:
            try:
                item = getattr(value, field.name)
            except AttributeError:
                raise TypeError(f"{where}.{field.name}: has no value") from None
        if field.bits:
            _check_int(*bits_range(field), f"bit field of {field.bits}", item, f"{where}.{field.name}")
        else:
            explain_misfit(field.type, item, f"{where}.{field.name}")


def _check_int(low: int, high: int, name: str, value: Any, where: str) -> None:
    index = getattr(type(value), "__index__", None)
    if index is None:
        raise TypeError(f"{where}: expected an int ({name}), not {_shown(value)}")
    number = index(value)
    if not low <= number <= high:
        raise OverflowError(f"{where}: {number} is outside {name} ({low} to {high})")


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
