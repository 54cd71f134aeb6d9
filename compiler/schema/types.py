"""The types of the language, with their C layout.

Values of these classes are what annotations, map declarations and contexts carry in their `__bpf__` attribute, and
what every later stage computes with. Sizes and offsets are in bytes unless a name says `bits`. Layout follows the
C rules of the BPF target: little-endian, natural alignment, 8-byte pointers (LP64).
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = [
    "BOOL", "I8", "I16", "I32", "I64", "NONE", "U8", "U16", "U32", "U64",
    "ArrayType", "BoolType", "BitField", "BytesType", "EnumType", "Field", "IntType", "Kept", "NoneType",
    "OptionalType", "ProtoType", "PtrType", "Space", "StructType", "TextType", "TupleType", "Type",
    "align_of", "is_aggregate", "is_arena_pointer", "is_scalar", "layout", "opaque_in", "size_of",
]  # fmt: skip


class Type(Record):
    """Base of all types. `str(type)` is how a diagnostic spells it."""


class NoneType(Type):
    """The type of `None`: a function that returns nothing, or the empty half of an Optional."""

    def __str__(self) -> str:
        return "None"


class BoolType(Type):
    """True or False; one byte in memory, 0 or 1 in a register. In arithmetic it is an int, as in Python."""

    def __str__(self) -> str:
        return "bool"


class IntType(Type):
    """An integer of 8, 16, 32 or 64 bits.

    `big` marks a field kept in network byte order; reading it gives the host-order value, storing swaps back.
    """

    bits: int
    signed: bool = False
    big: bool = False

    def __str__(self) -> str:
        return f"{'be' if self.big else 'i' if self.signed else 'u'}{self.bits}"

    @property
    def min(self) -> int:
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def max(self) -> int:
        return (1 << self.bits - self.signed) - 1


class EnumType(Type):
    """A named enumeration over an integer type; members are (name, value) pairs in declaration order."""

    name: str
    base: IntType
    members: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return self.name


class Space:
    """Where an address points; decides how it is read, and whether a plain add to it must be atomic."""

    STACK = "stack"  # this program's own frame
    MAP = "map"  # a value inside a map that other CPUs see too
    PERCPU = "percpu"  # a value inside a per-CPU map
    GLOBAL = "global"  # .data/.bss: a map value as well, at a fixed offset
    CONST = "const"  # .rodata: the same, which nobody may write
    RINGBUF = "ringbuf"  # a reserved ring-buffer record
    PACKET = "packet"  # between data and data_end
    PACKET_END = "packet_end"  # data_end itself: compared, never read
    CTX = "ctx"  # the program's context
    TRUSTED = "trusted"  # a kernel object the verifier lets us load from directly
    ARGUMENT = "argument"  # likewise, of a function that is traced: helpers take it, functions of the kernel don't
    UNTRUSTED = "untrusted"  # likewise, found by way of one that is trusted; it may be gone, or NULL
    RCU = "rcu"  # likewise, there as long as the section of the program that looks at it, which may be all of it
    NULLABLE = "nullable"  # as UNTRUSTED; it may be passed on only where a test has shown that it is not NULL
    RCU_NULLABLE = "rcu_nullable"  # RCU, and NULLABLE
    OWNED = "owned"  # an object that the program allocated, or took out of where it was kept: nobody else's
    BORROWED = "borrowed"  # an object of a list or a tree, as long as the lock is held
    SLICE = "slice"  # a slice of a dynptr, to be read only: the memory itself, or a copy of it
    LENT = "lent"  # a kernel object that the program may write to while it runs, at fixed offsets: flow keys
    KERNEL = "kernel"  # a kernel address: probe reads only
    INNER = "inner"  # a map that lies in a map of maps
    ARENA = "arena"  # memory shared with user space, by its address there: any is taken, what is not there reads as 0
    USER = "user"  # a user-space address: user probe reads only

    OBJECTS = (TRUSTED, ARGUMENT, UNTRUSTED, RCU, NULLABLE, RCU_NULLABLE)  # what may be loaded from


class PtrType(Type):
    """An address of a `pointee` (None: of raw bytes) in a `Space`.

    The value of an expression whose Python value is a struct, array, text or bytes object is such a reference.
    """

    pointee: Type | None
    space: str

    def __str__(self) -> str:
        return str(self.pointee) if self.pointee is not None else f"{self.space} address"


class MapType(Type):
    """A map that a program looked up in a map of maps; `spec` is what all maps in there are like.

    Maps that are alike are of one type, whichever map they lie in.
    """

    spec: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MapType) and self._likeness() == other._likeness()

    def __hash__(self) -> int:
        return hash(str(self))

    def _likeness(self) -> tuple[Any, ...]:
        spec = self.spec
        return spec.kind.name, spec.key, spec.value, spec.flags, spec.max_entries if spec.kind.indexed else 0

    def __str__(self) -> str:
        return f"map of type {self.spec.kind.name}"


class ArrayType(Type):
    """`length` elements one after the other."""

    element: Type
    length: int

    def __str__(self) -> str:
        return f"Array[{self.element}, {self.length}]"


class TextType(Type):
    """At most `size` bytes of UTF-8 that end at the first NUL; C's `char[size]`."""

    size: int

    def __str__(self) -> str:
        return f"Text[{self.size}]"


class BytesType(Type):
    """Exactly `size` raw bytes; C's `unsigned char[size]`."""

    size: int

    def __str__(self) -> str:
        return f"Bytes[{self.size}]"


class BitField(Record):
    """What a struct declares for a bit field: `bits` bits of a unit of `type`. Only `layout` sees it."""

    type: IntType | BoolType | EnumType
    bits: int


class Field(Record):
    """A member of a struct. Bit fields have `bits` > 0 and start `bit_offset` bits into the byte at `offset`."""

    name: str
    type: Type
    offset: int
    bits: int = 0
    bit_offset: int = 0


class StructType(Type, eq=False):
    """A struct. Two structs are the same type only when they are the same object, as Python classes are.

    `owner` is the Python class that declares it (None: there is none); plain functions found on it are its methods.
    `opaque`: the kernel keeps something there that it finds by this name in BTF; programs never read or write it.
    `holds`: of such, what it keeps objects of (Kept).
    """

    name: str
    fields: tuple[Field, ...]
    size: int
    align: int
    union: bool = False
    owner: Any = None
    opaque: str = ""
    holds: Any = None

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"StructType({self.name})"

    def field(self, name: str) -> Field | None:
        for field in self.fields:
            if field.name == name:
                return field
        return None


class Kept(Record, eq=False):
    """What a pointer, a list or a tree in a map's value keeps: objects of `type`, a struct of the kernel's or the
    program's.

    `calls` are the helpers and kernel functions behind its methods, by the method's name; `release` is what gives back
    an object that was taken out. In a list or a tree objects hang by their field `node`.
    """

    type: Type
    calls: dict[str, Any]
    release: Any
    node: Field | None = None


class ProtoType(Type):
    """A function's signature, where C takes a pointer to one."""

    params: tuple[tuple[str, Type], ...]
    result: Type

    def __str__(self) -> str:
        return "function"


class OptionalType(Type):
    """`inner | None`: what a map lookup, a packet parse or a reservation gives."""

    inner: Type

    def __str__(self) -> str:
        return f"{self.inner} | None"


class TupleType(Type):
    """A fixed number of values; never in memory."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple[{', '.join(map(str, self.items))}]"


NONE = NoneType()
BOOL = BoolType()
U8, U16, U32, U64 = (IntType(bits) for bits in (8, 16, 32, 64))
I8, I16, I32, I64 = (IntType(bits, signed=True) for bits in (8, 16, 32, 64))


def is_scalar(type: Type) -> bool:
    """True for what fits one register and is copied: integers, bools, enums, addresses of raw bytes."""
    return isinstance(type, (IntType, BoolType, EnumType, PtrType))


def is_aggregate(type: Type) -> bool:
    """True for what lives in memory and is referred to."""
    return isinstance(type, (StructType, ArrayType, TextType, BytesType))


def is_arena_pointer(type: Type) -> bool:
    """Whether it is a reference into an arena, or None or such a one, as a field that is a pointer holds it."""
    inner = type.inner if isinstance(type, OptionalType) else type
    return isinstance(inner, PtrType) and inner.space == Space.ARENA


def opaque_in(type: Type | None) -> list[str]:
    """What the kernel keeps in a value of the type: names of BTF types, one for each field."""
    if isinstance(type, StructType):
        if type.opaque:
            return [type.opaque]
        return [name for field in type.fields for name in opaque_in(field.type)]
    return opaque_in(type.element) * type.length if isinstance(type, ArrayType) and is_aggregate(type.element) else []


def size_of(type: Type) -> int:
    """Bytes that a value takes in memory."""
    match type:
        case IntType():
            return type.bits // 8
        case BoolType():
            return 1
        case EnumType():
            return type.base.bits // 8
        case PtrType():
            return 8
        case ArrayType():
            return size_of(type.element) * type.length
        case TextType() | BytesType():
            return type.size
        case StructType():
            return type.size
        case OptionalType():  # a pointer, of which 0 is None
            return size_of(type.inner)
    size = getattr(type, "size", None)  # a KernelType (kernel.py), of which this module does not know
    if size is not None:
        return int(size)
    raise TypeError(f"{type} has no size in memory")


def align_of(type: Type) -> int:
    """Alignment in bytes that C gives the type."""
    match type:
        case ArrayType():
            return align_of(type.element)
        case TextType() | BytesType():
            return 1
        case StructType():
            return type.align
    return size_of(type)


def layout(
    name: str, members: Iterable[tuple[str, Type | BitField]], *, packed: bool = False, union: bool = False
) -> StructType:
    """Lay out a struct by C's rules (`packed`: without padding, alignment 1; `union`: all members at offset 0).

    A bit field goes on where the one before it ended, unless it would cross the end of a unit of its type; then it
    starts at the next unit. In a packed struct it follows in any case; ValueError if that takes part of nine bytes.
    """
    bit, end, align = 0, 0, 1  # where the next member may start, in bits; where the longest one ends, in bytes
    fields = []
    for member, declared in members:
        if union:
            bit = 0
        type, width = (declared.type, declared.bits) if isinstance(declared, BitField) else (declared, 0)
        unit = 8 if packed else 8 * align_of(type)
        if packed and width and bit % 8 + width > 64:
            raise ValueError(f"{name}.{member}: a bit field that takes part of nine bytes")
        if not width or (not packed and bit // unit != (bit + width - 1) // unit):
            bit = (bit + unit - 1) // unit * unit
        fields.append(Field(member, type, bit // 8, width, bit % 8 if width else 0))
        bit += width or 8 * size_of(type)
        align = max(align, unit // 8)
        end = max(end, (bit + 7) // 8)
    return StructType(name, tuple(fields), (end + align - 1) // align * align, align, union)
