"""Rules about types: which one holds the values of two others, and which numbers they hold."""

from __future__ import annotations

from pybpf.compiler.schema.types import (
    I64,
    NONE,
    U64,
    ArrayType,
    BoolType,
    BytesType,
    EnumType,
    IntType,
    NoneType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    TupleType,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "AnyInt", "KnownType", "aggregate", "host", "int_base", "is_dynptr", "is_int", "is_signed", "is_wide", "join",
    "same", "settle", "spell", "wanted_array",
]  # fmt: skip


class AnyInt(Type):
    """The type of a variable that only literals were assigned to so far: it takes the type of what else comes."""

    lo: int
    hi: int

    def __str__(self) -> str:
        return "int"


class KnownType(Type, eq=False):
    """The type of a local name for a compile-time object: `table = my_map`."""

    value: Any

    def __str__(self) -> str:
        from pybpf.compiler.frontend.known import describe

        return describe(self.value)


def wanted_array(want: Type | None) -> ArrayType | None:
    """The array that a place wants, where it wants one."""
    kind = want.pointee if isinstance(want, PtrType) else want
    return kind if isinstance(kind, ArrayType) else None


def aggregate(type: Type) -> Type | None:
    """The struct, array, text or bytes that a reference refers to; None for anything else."""
    return type.pointee if isinstance(type, PtrType) else None


def int_base(type: Type) -> IntType | None:
    """The int type of a number (a bool counts as an unsigned byte); None where the type is no number."""
    if isinstance(type, IntType):
        return type
    if isinstance(type, EnumType):
        return type.base
    if isinstance(type, BoolType):
        return IntType(8)
    return None


def is_int(type: Type) -> bool:
    return isinstance(type, (IntType, EnumType, BoolType))


def is_signed(type: Type) -> bool:
    base = int_base(type)
    return base is not None and base.signed


def is_wide(type: Type) -> bool:
    """Whether it is u64: where one takes part, arithmetic is unsigned and wraps."""
    base = int_base(type)
    return base is not None and base.bits == 64 and not base.signed


def host(type: Type) -> Type:
    """The type of a value once loaded: network order is a matter of memory."""
    return IntType(type.bits, type.signed) if isinstance(type, IntType) and type.big else type


# Spaces whose memory is loaded and stored alike, so that one variable may refer to either.
_PLAIN = (Space.STACK, Space.MAP, Space.PERCPU, Space.GLOBAL, Space.CONST)


_KERNEL = (*Space.OBJECTS, Space.KERNEL)


def may_be_null(type: Type) -> bool:
    """Whether it is a pointer of the kernel, one of whose values is NULL: Python's None."""
    if not isinstance(type, PtrType) or type.space not in (*_KERNEL, Space.USER):
        return False
    return not isinstance(type.pointee, (ArrayType, BytesType, StructType)) and (
        not isinstance(type.pointee, TextType) or not type.pointee.size
    )


def merged(type: Type) -> Type:
    """The type of a variable that gets values of this type at more than one place.

    The verifier wants an instruction to see one sort of pointer only, and has several for what pointers lead to
    (reg_type_mismatch, kernel/bpf/verifier.c); to addresses all are alike.
    """
    if isinstance(type, OptionalType):
        return OptionalType(merged(type.inner))
    if isinstance(type, PtrType) and type.space in Space.OBJECTS and not isinstance(type.pointee, StructType):
        return PtrType(type.pointee, Space.KERNEL)
    return type


_PLAIN_VALUES = (str, bytes, float)


def same(a: Type, b: Type) -> bool:
    """Whether two types are the same. Structs are the same only if they are one object."""
    if isinstance(a, KnownType) and isinstance(b, KnownType):
        return a.value is b.value or (
            type(a.value) is type(b.value) and type(a.value) in _PLAIN_VALUES and a.value == b.value
        )
    return a is b or a == b


def join(a: Type | None, b: Type) -> Type | None:
    """The type of a variable that holds values of both types; None where there is no such type.

    `a` is None for a variable that nothing was assigned to yet.
    """
    if a is None or same(a, b):
        return b
    if isinstance(a, TupleType) or isinstance(b, TupleType) or (_is_tuple(a) and _is_tuple(b)):
        return _join_tuples(a, b)
    if isinstance(a, KnownType) or isinstance(b, KnownType):
        return None
    if isinstance(a, AnyInt) and isinstance(b, AnyInt):
        return AnyInt(min(a.lo, b.lo), max(a.hi, b.hi))
    if isinstance(a, AnyInt):
        return _join_literal(a, b)
    if isinstance(b, AnyInt):
        return _join_literal(b, a)
    if _dynptr(a) is not None or _dynptr(b) is not None:
        return _join_dynptrs(a, b)
    if isinstance(a, NoneType) or isinstance(b, NoneType):
        pointer = b if isinstance(a, NoneType) else a
        if may_be_null(pointer):
            return pointer
    if isinstance(a, NoneType):
        return b if isinstance(b, OptionalType) else OptionalType(settle(b))
    if isinstance(b, NoneType):
        return a if isinstance(a, OptionalType) else OptionalType(settle(a))
    if isinstance(a, OptionalType) or isinstance(b, OptionalType):
        inner = join(a.inner if isinstance(a, OptionalType) else a, b.inner if isinstance(b, OptionalType) else b)
        return None if inner is None else OptionalType(settle(inner))
    if isinstance(a, PtrType) and isinstance(b, PtrType):
        if a.pointee is not None and same(a.pointee, b.pointee or NONE) and a.space in _PLAIN and b.space in _PLAIN:
            return PtrType(a.pointee, Space.CONST if Space.CONST in (a.space, b.space) else Space.MAP)
        if same(a.pointee or NONE, b.pointee or NONE) and a.space in _KERNEL and b.space in _KERNEL:
            return PtrType(a.pointee, Space.KERNEL)
        return None
    return _join_ints(a, b)


def _dynptr(kind: Type) -> Any:
    """The DynptrType that a type refers to, or may refer to."""
    inner = kind.inner if isinstance(kind, OptionalType) else kind
    struct = inner.pointee if isinstance(inner, PtrType) else inner
    return struct if isinstance(struct, StructType) and struct.opaque == "bpf_dynptr" else None


def is_dynptr(kind: Type) -> bool:
    """Whether it refers to a dynptr."""
    return _dynptr(kind) is not None


def _join_dynptrs(a: Type, b: Type) -> Type | None:
    """A variable holds dynptrs of one kind, and always holds one."""
    one, two = _dynptr(a), _dynptr(b)
    if one is None or two is None or not isinstance(a, PtrType) or not isinstance(b, PtrType):
        return None
    return b if one.kind == "empty" else a if two.kind == "empty" else None


def _is_tuple(kind: Type) -> bool:
    return isinstance(kind, KnownType) and type(kind.value) is tuple


def _join_tuples(a: Type, b: Type) -> Type | None:
    """Tuples are joined item by item; a constant one is taken for its items."""
    sides: list[tuple[Type, ...]] = []
    for kind in (a, b):
        if isinstance(kind, TupleType):
            sides.append(kind.items)
        elif isinstance(kind, KnownType) and type(kind.value) is tuple:
            from pybpf.compiler.frontend.convert import type_of
            from pybpf.compiler.frontend.known import Known

            sides.append(tuple([type_of(Known(item, None)) for item in kind.value]))  # type: ignore[arg-type]
        else:
            return None
    if len(sides[0]) != len(sides[1]):
        return None
    items = [join(x, y) for x, y in zip(*sides)]
    return None if None in items else TupleType(tuple([item for item in items if item is not None]))


def _join_literal(literal: AnyInt, other: Type) -> Type | None:
    if isinstance(other, OptionalType):
        inner = _join_literal(literal, other.inner)
        return None if inner is None else OptionalType(inner)
    if isinstance(other, NoneType):
        return OptionalType(settle(literal))
    base = int_base(other)
    if base is None:
        return None
    if isinstance(other, EnumType) and any(literal.lo == literal.hi == value for _, value in other.members):
        return other
    if isinstance(other, BoolType):
        return settle(literal)
    if base.min <= literal.lo and literal.hi <= base.max:
        return host(base)
    return _holding(min(literal.lo, base.min), max(literal.hi, base.max))


def _join_ints(a: Type, b: Type) -> Type | None:
    x, y = int_base(a), int_base(b)
    if x is None or y is None:
        return None
    return _holding(min(x.min, y.min), max(x.max, y.max))


def _holding(lo: int, hi: int) -> Type | None:
    """The narrowest int type that holds lo and hi."""
    for bits in (8, 16, 32, 64):
        for signed in (False, True):
            kind = IntType(bits, signed)
            if kind.min <= lo and hi <= kind.max:
                return kind
    return None


def settle(type: Type) -> Type:
    """The type that a variable gets: one of only literals is i64, as Python's ints may go below zero."""
    if isinstance(type, TupleType):
        return TupleType(tuple([settle(item) for item in type.items]))
    if isinstance(type, AnyInt):
        return I64 if type.hi <= I64.max else U64
    return host(type)


def spell(type: Type) -> str:
    """How a diagnostic calls a type."""
    if isinstance(type, OptionalType):
        return f"{spell(type.inner)} | None"
    if isinstance(type, PtrType) and type.pointee is None:
        if type.space in (Space.PACKET, Space.PACKET_END):
            return "a packet address"
        return "the context" if type.space == Space.CTX else "an address"
    if isinstance(type, PtrType) and isinstance(type.pointee, (IntType, BoolType, EnumType, PtrType)):
        return f"a pointer to {spell(type.pointee)}"
    if isinstance(type, PtrType) and isinstance(type.pointee, TextType) and not type.pointee.size:
        return "a string's address"
    return str(type)


def written(type: Type) -> str:
    """A type as a program's source has it."""
    if isinstance(type, ArrayType):
        return f"Array[{written(type.element)}, L[{type.length}]]"
    return f"{str(type).partition('[')[0]}[L[{type.size}]]" if isinstance(type, (TextType, BytesType)) else str(type)


def is_reference(type: Type) -> bool:
    """Whether it is a reference to an object, or an Optional one."""
    inner = type.inner if isinstance(type, OptionalType) else type
    return isinstance(inner, PtrType) and inner.pointee is not None


def fits_annotation(declared: Type, found: Type) -> bool:
    """Whether an object of type `found` is what an annotation says. Annotations don't name a space."""
    if may_be_null(declared):  # None is one of its values
        found = found.inner if isinstance(found, OptionalType) else found
        if isinstance(found, NoneType):
            return True
    if isinstance(declared, OptionalType):
        inner = found.inner if isinstance(found, OptionalType) else found
        return isinstance(found, NoneType) or fits_annotation(declared.inner, inner)
    return bool(
        isinstance(declared, PtrType)
        and isinstance(found, PtrType)
        and (same(declared.pointee or NONE, found.pointee or NONE) or (_dynptr(declared) and _dynptr(found)))
    )


def annotated(declared: Type, found: Type) -> Type:
    """The type of a variable annotated `declared` that holds `found`: the space comes from what it holds."""
    if isinstance(declared, OptionalType) and isinstance(found, NoneType):
        return declared  # as long as it holds nothing else
    if isinstance(declared, OptionalType) and not isinstance(found, (OptionalType, NoneType)):
        return found if may_be_null(found) else OptionalType(found)
    return found
