"""BTF types as plain data, one record a kind.

Types refer to each other by id: the index in the list of all types, whose element 0 is always `VOID`. Sizes are in
bytes, member offsets and widths in bits. Names are "" where a type has none.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

__all__ = [
    "EXTERN", "GLOBAL", "INT_BOOL", "INT_CHAR", "INT_SIGNED", "KINDS", "STATIC", "VOID",
    "Array", "BtfError", "BtfType", "Const", "Datasec", "DeclTag", "Enum", "Enum64", "Float", "Func", "FuncProto",
    "Fwd", "Int", "Member", "Parameter", "Ptr", "Restrict", "SectionVar", "Struct", "TypeTag", "Typedef", "Union",
    "Var", "Void", "Volatile",
]  # fmt: skip

# enum btf_func_linkage; variables use the same numbers (BTF_VAR_STATIC, _GLOBAL_ALLOCATED, _GLOBAL_EXTERN)
STATIC, GLOBAL, EXTERN = 0, 1, 2

# Encodings of an Int (BTF_INT_SIGNED, BTF_INT_CHAR, BTF_INT_BOOL)
INT_SIGNED, INT_CHAR, INT_BOOL = 1, 2, 4


class BtfError(ValueError):
    """Bytes that are not well-formed BTF; the message says what is wrong, and in which type."""


class BtfType(Record):
    """Base of all kinds. `kind` is the number in `enum` BTF_KIND_*."""

    kind: ClassVar[int] = 0


class Void(BtfType):
    """Type 0: nothing, or an unknown pointee."""


class Int(BtfType):
    """An integer of `bits` bits stored in `size` bytes; `encoding` is 0 or one of INT_SIGNED, INT_CHAR, INT_BOOL."""

    name: str
    size: int
    encoding: int
    bits: int
    offset: int = 0

    kind = 1


class Ptr(BtfType):
    """A pointer to `type`."""

    type: int

    kind = 2


class Array(BtfType):
    """`length` elements of type `element`; `index` is the id of the integer type that counts them."""

    element: int
    index: int
    length: int

    kind = 3


class Member(Record):
    """A member of a struct or union, `offset` bits from its start; `bits` > 0 makes it a bit field."""

    name: str
    type: int
    offset: int
    bits: int = 0


class Struct(BtfType):
    """A struct."""

    name: str
    size: int
    members: tuple[Member, ...]

    kind = 4


class Union(BtfType):
    """A union."""

    name: str
    size: int
    members: tuple[Member, ...]

    kind = 5


class Enum(BtfType):
    """An enumeration whose values fit 32 bits; `values` are (name, value) pairs."""

    name: str
    size: int
    signed: bool
    values: tuple[tuple[str, int], ...]

    kind = 6


class Fwd(BtfType):
    """A struct (or union) of which only the name is known."""

    name: str
    union: bool = False

    kind = 7


class Typedef(BtfType):
    """Another name for `type`."""

    name: str
    type: int

    kind = 8


class Volatile(BtfType):
    """`volatile type`."""

    type: int

    kind = 9


class Const(BtfType):
    """`const type`."""

    type: int

    kind = 10


class Restrict(BtfType):
    """`restrict type`, of a pointer."""

    type: int

    kind = 11


class Func(BtfType):
    """A function with code (or, with linkage EXTERN, a declared one); `type` is its FuncProto."""

    name: str
    type: int
    linkage: int

    kind = 12


class Parameter(Record):
    """A parameter of a FuncProto. A last one with no name and type 0 stands for `...`."""

    name: str
    type: int


class FuncProto(BtfType):
    """A function's signature."""

    result: int
    params: tuple[Parameter, ...]

    kind = 13


class Var(BtfType):
    """A variable."""

    name: str
    type: int
    linkage: int

    kind = 14


class SectionVar(Record):
    """Where a Var (id `type`) lies in its section."""

    type: int
    offset: int
    size: int


class Datasec(BtfType):
    """An ELF section of variables, in ascending order of their offsets."""

    name: str
    size: int
    vars: tuple[SectionVar, ...]

    kind = 15


class Float(BtfType):
    """A floating-point number."""

    name: str
    size: int

    kind = 16


class DeclTag(BtfType):
    """`btf_decl_tag(tag)` on the thing with id `type`, or on its member or parameter `index` (-1: on itself)."""

    tag: str
    type: int
    index: int = -1
    attribute: bool = False

    kind = 17


class TypeTag(BtfType):
    """`btf_type_tag(tag)` on `type`; `attribute`: the tag is the text of any C attribute (kernel 6.15)."""

    tag: str
    type: int
    attribute: bool = False

    kind = 18


class Enum64(BtfType):
    """An enumeration with values of 64 bits (kernel 6.0)."""

    name: str
    size: int
    signed: bool
    values: tuple[tuple[str, int], ...]

    kind = 19


VOID = Void()

KINDS: tuple[type[BtfType], ...] = (
    Void, Int, Ptr, Array, Struct, Union, Enum, Fwd, Typedef, Volatile, Const, Restrict, Func, FuncProto, Var,
    Datasec, Float, DeclTag, TypeTag, Enum64,
)  # fmt: skip
