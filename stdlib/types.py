"""Integer widths, text, bytes and arrays: classes at run time, `int`, `str` and `bytes` to a type checker.

Each class carries its compiler type as `__bpf__`. `u32(x)` wraps x to its width, in the program and in plain Python
alike; arithmetic on the result is that of `int`. Sizes are literals, `Array[u8, L[6]]`; at run time a plain
`Array[u8, 6]` and `typing.Literal[6]` do as well. Subscripting the same types twice gives the same class.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.specs import BuiltinSpec
from pybpf.compiler.schema.types import (
    BOOL,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    BitField,
    BoolType,
    BytesType,
    EnumType,
    IntType,
    OptionalType,
    PtrType,
    Space,
    StructType,
    TextType,
    Type,
    is_aggregate,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Generic, TypeAlias, TypeVar, overload
    from typing import Literal as L

    from typing_extensions import TypeAliasType

    u8: TypeAlias = int
    u16: TypeAlias = int
    u32: TypeAlias = int
    u64: TypeAlias = int
    i8: TypeAlias = int
    i16: TypeAlias = int
    i32: TypeAlias = int
    i64: TypeAlias = int
    be16: TypeAlias = int
    be32: TypeAlias = int
    be64: TypeAlias = int

__all__ = [
    "Array", "Bits", "Bytes", "L", "Ptr", "Text", "be16", "be32", "be64", "class_of", "enum_members", "i16", "i32",
    "i64", "i8", "type_of", "u16", "u32", "u64", "u8",
]  # fmt: skip

_MAX_SIZE = 1 << 29  # KMALLOC_MAX_SIZE is far below; this only keeps absurd literals out of the layouts


if not TYPE_CHECKING:

    class _Width(int):
        """Base of the integer widths. A value is an `int` that fits; making one wraps, as storing to a field does."""

        __slots__ = ()
        __bpf__: IntType

        def __new__(cls, value=0, /):
            kind = cls.__bpf__
            number = value.__index__() & (1 << kind.bits) - 1
            if kind.signed and number >> kind.bits - 1:
                number -= 1 << kind.bits
            return int.__new__(cls, number)

        def __repr__(self):
            return int.__repr__(self)

        __str__ = __repr__

    class _L:
        """The `X` of `L[X]`: stands in for typing.Literal, which takes milliseconds to import."""

        __slots__ = ("__args__",)

        def __init__(self, value):
            self.__args__ = (value,)

        def __repr__(self):
            return f"L[{self.__args__[0]!r}]"

    class L:
        """`L[6]`: a number as a type argument. To a type checker it is typing.Literal."""

        def __class_getitem__(cls, value):
            return _L(value)

    def _width(name: str, kind: IntType, doc: str):
        return type(name, (_Width,), {"__slots__": (), "__bpf__": kind, "__doc__": doc, "__module__": __name__})

    u8 = _width("u8", U8, "Unsigned, 8 bits.")
    u16 = _width("u16", U16, "Unsigned, 16 bits.")
    u32 = _width("u32", U32, "Unsigned, 32 bits.")
    u64 = _width("u64", U64, "Unsigned, 64 bits.")
    i8 = _width("i8", I8, "Signed, 8 bits.")
    i16 = _width("i16", I16, "Signed, 16 bits.")
    i32 = _width("i32", I32, "Signed, 32 bits.")
    i64 = _width("i64", I64, "Signed, 64 bits.")
    be16 = _width("be16", IntType(16, big=True), "Unsigned, 16 bits, kept in network byte order.")
    be32 = _width("be32", IntType(32, big=True), "Unsigned, 32 bits, kept in network byte order.")
    be64 = _width("be64", IntType(64, big=True), "Unsigned, 64 bits, kept in network byte order.")


def _literal(value: object, what: str) -> int:
    """The number of an `L[n]`, a Literal or a plain int."""
    args: object = getattr(value, "__args__", None)
    if isinstance(args, tuple) and len(args) == 1:
        value = args[0]
    if type(value) is not int:
        raise DeclarationTypeError(
            f"{what}: the size must be a literal number, not {_spell(value)}",
            help="write it as L[n], as in Text[L[16]]",
        )
    if not 0 < value <= _MAX_SIZE:
        raise DeclarationTypeError(f"{what}: the size must lie between 1 and {_MAX_SIZE}, not {value}")
    return value


def _spell(value: object) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


if TYPE_CHECKING:
    T = TypeVar("T")
    N = TypeVar("N", bound=int)

    class SizedText(str, Generic[N]):
        """A `str` that came out of a `Text` of that size."""

    class SizedBytes(bytes, Generic[N]):
        """A `bytes` that came out of a `Bytes` of that size."""

    Bits = TypeAliasType("Bits", T, type_params=(T, N))  # the width means nothing to a type checker

    # Unions, so that plain strings may be assigned, passed and used as keys without a conversion.
    Text: TypeAlias = str | SizedText[N]
    Bytes: TypeAlias = bytes | SizedBytes[N]

    Ptr: TypeAlias = T | None

    class Array(Generic[T, N]):
        """`Array[u8, L[6]]`: a fixed number of elements. `Array[u8, L[6]]()` is all zero."""

        def __init__(self, items: Iterable[T] = ..., /) -> None: ...
        @overload
        def __getitem__(self, index: int, /) -> T: ...
        @overload
        def __getitem__(self, index: slice, /) -> list[T]: ...
        def __getitem__(self, index: Any, /) -> Any: ...
        @overload
        def __setitem__(self, index: int, value: T, /) -> None: ...
        @overload
        def __setitem__(self, index: slice, value: Iterable[T], /) -> None: ...
        def __setitem__(self, index: Any, value: Any, /) -> None: ...
        def __eq__(self, other: object, /) -> bool: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[T]: ...
        def __contains__(self, value: object, /) -> bool: ...

else:
    _made: dict = {}  # (class, parameters) -> the one subclass for them

    def _sized(cls, key, name: str, kind: Type):
        made = _made.get(key)
        if made is None:
            made = _made[key] = type(name, (cls,), {"__slots__": (), "__bpf__": kind, "__module__": __name__})
        return made

    class Bits:
        """`Bits[u32, L[3]]`: a bit field of a Struct, laid out as C lays out `unsigned int name : 3`."""

        __slots__ = ("__bpf__", "__weakref__")

        def __init__(self, field):
            self.__bpf__ = field

        def __repr__(self):
            return f"Bits[{self.__bpf__.type}, {self.__bpf__.bits}]"

        def __class_getitem__(cls, params):
            if not isinstance(params, tuple) or len(params) != 2:
                raise DeclarationTypeError("Bits takes a type and a width", help="as in Bits[u32, L[3]]")
            unit = type_of(params[0])
            if not isinstance(unit, (IntType, BoolType, EnumType)) or (isinstance(unit, IntType) and unit.big):
                raise DeclarationTypeError(
                    f"Bits of {_spell(params[0])}: a bit field is a part of u8 to u64, i8 to i64, a bool or an enum"
                )
            bits = _literal(params[1], "Bits")
            most = 1 if isinstance(unit, BoolType) else 8 * size_of(unit)
            if bits > most:
                raise DeclarationTypeError(f"Bits[{unit}, {bits}]: {unit} has {most} bit{'s' if most > 1 else ''}")
            return cls(BitField(unit, bits))

    class Text(str):
        """`Text[L[16]]`: at most that many bytes of UTF-8, ended by a NUL if shorter; a `str` in Python."""

        __slots__ = ()

        def __class_getitem__(cls, size):
            size = _literal(size, "Text")
            return _sized(Text, (Text, size), f"Text[{size}]", TextType(size))

    class Bytes(bytes):
        """`Bytes[L[8]]`: exactly that many bytes; a `bytes` in Python."""

        __slots__ = ()

        def __class_getitem__(cls, size):
            size = _literal(size, "Bytes")
            return _sized(Bytes, (Bytes, size), f"Bytes[{size}]", BytesType(size))

    class Ptr:
        """`Ptr[Node]`: a pointer to an object in an arena, or None; a field of 8 bytes.

        Inside the class itself, and for one that is declared further down, the name is quoted: `next: Ptr["Node"]`.
        """

        __slots__ = ("__weakref__", "target")

        def __init__(self, target):
            self.target = target

        def __class_getitem__(cls, target):
            return cls(target)

        @property
        def __bpf__(self):
            if isinstance(self.target, str):
                raise DeclarationTypeError(
                    f'Ptr["{self.target}"]: a quoted name is looked up for a field of a Struct only',
                    help="write the whole annotation in quotes, or import annotations from __future__",
                )
            early = getattr(self.target, "__bpf_early__", None)
            kind = early() if early is not None else type_of(self.target)
            if not is_aggregate(kind):
                raise DeclarationTypeError(
                    f"Ptr of {_spell(self.target)}: a pointer leads to a Struct, an Array, a Text or Bytes",
                    help="put it into a Struct",
                )
            return OptionalType(PtrType(kind, Space.ARENA))

        def __repr__(self):
            return f"Ptr[{_spell(self.target)}]"

    class Array(list):
        """`Array[u8, L[6]]`: a fixed number of elements; `Array[u8, L[6]]()` is all zero."""

        __slots__ = ()
        __bpf__ = BuiltinSpec("Array")  # `Array()` where the type is known: the compiler's business

        def __class_getitem__(cls, params):
            if not isinstance(params, tuple) or len(params) != 2:
                raise DeclarationTypeError(
                    "Array takes an element type and a length", help="write:", lines=("Array[u8, L[6]]",)
                )
            element = type_of(params[0])
            if element is None:
                raise DeclarationTypeError(f"Array of {_spell(params[0])}: {why_not(params[0])}")
            length = _literal(params[1], "Array")
            kind = ArrayType(element, length)
            if size_of(kind) > _MAX_SIZE:
                raise DeclarationTypeError(f"{kind} is too large")
            # Structs of one name may differ, so the element's own object is the key.
            return _sized(Array, (Array, params[0], length), str(kind), kind)

        def __init__(self, items=None, /):
            kind = type(self).__bpf__
            typed = isinstance(kind, ArrayType)
            if items is None:
                items = zero(kind) if typed else ()
            list.__init__(self, items)
            if typed and len(self) != kind.length:
                raise ValueError(f"{kind} holds {kind.length} elements, not {len(self)}")


def type_of(annotation: object) -> Type | None:
    """The compiler type that an evaluated annotation stands for; None where it is not one with a place in memory."""
    kind: object = getattr(annotation, "__bpf__", None)
    if isinstance(kind, KernelType):  # held by its address
        return PtrType(kind, Space.KERNEL)
    if isinstance(kind, Type):
        return None if getattr(kind, "opaque", "") == "bpf_dynptr" else kind
    if annotation is bool:
        return BOOL
    if isinstance(annotation, type) and issubclass(annotation, int) and hasattr(annotation, "__members__"):
        return enum_type(annotation)
    return None


def enum_type(enum: Any) -> EnumType:
    """An IntEnum as C lays it out: 4 bytes, signed if a member is negative, or 8 where one doesn't fit."""
    made: EnumType | None = _enums.get(enum)
    if made is None:
        members = tuple((name, int(member)) for name, member in enum.__members__.items())
        low = min((value for _, value in members), default=0)
        high = max((value for _, value in members), default=0)
        signed = low < 0
        bits = 32 if low >= -(1 << 31) and high < 1 << (31 if signed else 32) else 64
        made = _enums[enum] = EnumType(enum.__name__, IntType(bits, signed), members)
        _enum_classes[id(made)] = enum
    return made


_enums: dict[Any, EnumType] = {}
_enum_classes: dict[int, Any] = {}  # by the identity of the EnumType, which `_enums` keeps alive


def adopt_enum(enum: Any, kind: EnumType) -> None:
    """Say that a class stands for an enumeration whose type is known already."""
    _enums[enum] = kind
    _enum_classes[id(kind)] = enum


def enum_members(kind: EnumType) -> dict[int, int]:
    """The numbers that have a name, and the members of the IntEnum for them; empty where no class was declared."""
    cls = _enum_classes.get(id(kind))
    return {int(member): member for member in cls} if cls is not None else {}


def why_not(annotation: object) -> str:
    """Why `type_of` knows no type for an annotation, and what to write instead."""
    if annotation is int:
        return "int has no width; use u8 to u64 or i8 to i64"
    if annotation is str:
        return "str has no size; use Text[L[16]]"
    if annotation is bytes:
        return "bytes has no size; use Bytes[L[16]]"
    if annotation is float:
        return "BPF has no floating point; use an integer, scaled if need be"
    if annotation is Text or annotation is Bytes:
        return f"{_spell(annotation)} needs its size, as in {_spell(annotation)}[L[16]]"
    if annotation is Array:
        return "Array needs its element and length, as in Array[u8, L[16]]"
    from pybpf.stdlib.annotations import annotated

    if getattr(getattr(annotation, "__bpf__", None), "opaque", "") == "bpf_dynptr":
        return "a Dynptr lives in a variable of a program, and nothing else can hold it"
    if isinstance(annotation, str):
        return f"{annotation!r} is a text; write the type itself, without quotes"
    if getattr(annotation, "__bpf_declares__", ""):
        return "a map can't lie inside a map; keep what tells them apart in the key"
    module = getattr(annotation, "__module__", "")
    if module == "ctypes" or module == "_ctypes":
        return f"{_spell(annotation)} is of ctypes; use u8 to u64 or i8 to i64"
    if isinstance(annotation, type) and (hasattr(annotation, "_fields_") or annotated(annotation.__dict__)):
        return f"{_spell(annotation)} is a class of its own kind; make it a class of Struct"
    origin: object = getattr(annotation, "__origin__", annotation)  # of list[int]
    if annotation is Bits:
        return "Bits needs its type and width, as in Bits[u32, L[3]]"
    if isinstance(getattr(annotation, "__bpf__", None), BitField):
        return "a bit field can only be a field of a Struct"
    if origin is list or origin is tuple or origin is dict or origin is set:
        return f"a {_spell(origin)} has no fixed layout; use Array[u32, L[8]] or a Struct"
    if type(None) in getattr(annotation, "__args__", ()):
        return "what lies in memory is always there and can't be None; a pointer into an arena is Ptr[...]"
    return f"{_spell(annotation)} is not a type that BPF has a layout for"


def instead(annotation: object) -> str:
    """What to annotate with in place of one of Python's types; "" where there is no telling."""
    plain: tuple[tuple[object, str], ...] = (
        (int, "u64"), (str, "Text[L[16]]"), (bytes, "Bytes[L[16]]"), (float, "u64"), (Text, "Text[L[16]]"),
        (Bytes, "Bytes[L[16]]"), (Array, "Array[u8, L[16]]"),
    )  # fmt: skip
    return next((text for kind, text in plain if annotation is kind), "")


def class_of(struct: StructType) -> Any:
    """The Struct class that declares a struct type; None where there is none."""
    return struct.owner


def zero(kind: Type) -> Any:
    """The Python value whose bytes are all zero."""
    if isinstance(kind, ArrayType):
        return [zero(kind.element) for _ in range(kind.length)]
    if isinstance(kind, TextType):
        return ""
    if isinstance(kind, BytesType):
        return bytes(kind.size)
    if isinstance(kind, StructType):
        if kind.union:
            return kind.owner()
        made = object.__new__(kind.owner)
        for field in kind.fields:
            setattr(made, field.name, zero(field.type))
        return made
    if isinstance(kind, OptionalType):
        return None
    return False if kind is BOOL else 0


def fresh(value: Any) -> Any:
    """A default for one more instance: lists and structs are copied, so that no two instances share one."""
    if isinstance(value, list):
        return type(value)([fresh(item) for item in value])
    return value.__copy__() if hasattr(value, "__copy__") and hasattr(type(value), "__bpf__") else value
