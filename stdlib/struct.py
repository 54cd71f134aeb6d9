"""`class Event(Struct)`: a record with a C layout, declared by its annotations.

    class Event(Struct):
        pid: u32
        comm: Text[L[16]]

`Event.__bpf__` is its StructType, laid out by C's rules when first asked for (`class Event(Struct, packed=True)`:
without padding). An instance is a plain mutable object with slots for the fields; it is made by keywords, all of them
unless the class gives a default (`hits: u64 = 0`). Fields hold what they are given: a value that is too large for its
field is an error when the struct is encoded, and is wrapped by the simulator, which uses `coercions()`.

The layout needs the annotations only, never source text. Annotations that are strings, as with
`from __future__ import annotations`, are looked up in the class's module and in the function around it.
"""

from __future__ import annotations

import sys

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.types import (
    ArrayType,
    BitField,
    BoolType,
    EnumType,
    IntType,
    StructType,
    Type,
    layout,
)
from pybpf.stdlib.annotations import annotated, evaluated, scope_of
from pybpf.stdlib.types import Array, instead, type_of, why_not, zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from typing_extensions import Self, dataclass_transform

__all__ = ["Struct", "StructMeta", "coercions", "defaults"]


class StructMeta(type):
    """Turns the annotations of a class body into slots, and the first look at `__bpf__` into a layout."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, packed: bool | None = None
    ) -> StructMeta:
        own = annotated(namespace)
        frame = sys._getframe(1)
        site = (frame.f_code.co_filename, frame.f_lineno)
        if not bases:  # Struct itself
            namespace["__slots__"] = ()
            return super().__new__(mcls, name, bases, namespace)
        annotations: dict[str, Any] = {}
        fallback: dict[str, Any] = {}
        for base in reversed(bases):
            if isinstance(base, StructMeta):
                annotations.update(base.__dict__.get("__bpf_fields__", {}))
                fallback.update(base.__dict__.get("__bpf_defaults__", {}))
        for field in own:
            if field in annotations:
                raise DeclarationTypeError(
                    f"{name}.{field} is declared in a base class already", help="leave it out here", site=(*site, field)
                )
            if field.startswith("__"):
                raise DeclarationTypeError(
                    f"{name}.{field}: a field's name cannot start with two underscores",
                    help="give it another name",
                    site=(*site, field),
                )
            if field in namespace:
                fallback[field] = namespace.pop(field)
        annotations.update(own)
        namespace["__slots__"] = tuple(own)
        namespace["__bpf_fields__"] = annotations
        namespace["__bpf_defaults__"] = fallback
        pointers = [field for field, kind in own.items() if _is_pointer(kind)]
        if pointers:
            inherited = [field for base in bases for field in getattr(base, "__bpf_pointers__", ())]
            namespace["__bpf_pointers__"] = (*inherited, *pointers)
        namespace["__bpf_packed__"] = bases[0].__dict__.get("__bpf_packed__", False) if packed is None else packed
        # Names of the function around the class, for annotations that are strings.
        frame = sys._getframe(1 if mcls is StructMeta else 2)  # a Union's metaclass is in between
        namespace["__bpf_scope__"] = scope_of(frame)
        namespace["__bpf_site__"] = (frame.f_code.co_filename, frame.f_lineno)
        namespace["__match_args__"] = ()
        return super().__new__(mcls, name, bases, namespace)

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, packed: bool | None = None
    ) -> None:
        super().__init__(name, bases, namespace)

    @property
    def __bpf__(cls) -> StructType:
        """The layout. Raises DeclarationTypeError, which names the struct and the field."""
        made: StructType | None = cls.__dict__.get("__bpf_layout__")
        if made is None:
            if "__bpf_fields__" not in cls.__dict__:
                raise AttributeError("__bpf__")
            if "__bpf_busy__" in cls.__dict__:
                raise DeclarationTypeError(
                    f"struct {cls.__name__} contains itself", help="keep the key of a map's entry in its place"
                )
            outermost = not _busy
            type.__setattr__(cls, "__bpf_busy__", True)
            _busy.append(cls)
            try:
                made = _lay_out(cls)
            finally:
                type.__delattr__(cls, "__bpf_busy__")
                _busy.remove(cls)
                if outermost and made is None:
                    _pointed.clear()
            made.owner = cls
            given: dict[str, Any] = cls.__dict__["__bpf_defaults__"]
            for field in made.fields:
                kind = field.type
                if isinstance(kind, StructType) and kind.holds is not None and field.name in given:
                    given[field.name] = kind.owner()  # `Kptr()` is a Kptr[task_struct]
                elif isinstance(kind, ArrayType) and _is_bare(given.get(field.name)):
                    given[field.name] = zero(kind)  # `Array()` is an Array[u8, L[64]]
            early: StructType | None = cls.__dict__.get("__bpf_shell__")
            if early is not None:  # pointers lead to it already
                early.fields, early.size, early.align, early.union = made.fields, made.size, made.align, made.union
                early.owner, made = cls, early
            cls.__bpf_layout__ = made
            type.__setattr__(cls, "__bpf_scope__", ({}, {}))  # let go of what the names held
            while outermost and _pointed:
                assert _pointed.pop().__bpf__
        return made

    def __bpf_early__(cls) -> StructType:
        """The layout for a pointer to it. While structs are laid out it may get its fields later: it may lead back."""
        if "__bpf_layout__" in cls.__dict__ or "__bpf_fields__" not in cls.__dict__ or not _busy:
            return cls.__bpf__
        shell: StructType | None = cls.__dict__.get("__bpf_shell__")
        if shell is None:
            shell = StructType(cls.__name__, (), 0, 1)
            type.__setattr__(cls, "__bpf_shell__", shell)
        if cls not in _busy and cls not in _pointed:
            _pointed.append(cls)
        return shell


_busy: list[Any] = []  # structs that are being laid out, outermost first
_pointed: list[Any] = []  # those that pointers in them lead to, which are next


def _is_pointer(annotation: object) -> bool:
    """Whether a field's annotation, which may be a string still, is `Ptr[...]`."""
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == "Ptr"
    return type(annotation).__name__ == "Ptr"


def _lay_out(cls: Any) -> StructType:
    name: str = cls.__name__
    if not cls.__bpf_fields__:
        raise DeclarationTypeError(
            f"struct {name} has no fields",
            help="annotate at least one:",
            lines=("count: u64",),
            site=(*cls.__bpf_site__, ""),
        )
    # Annotations of a base mean what they mean in its own module, so its fields come with their types.
    inherited: dict[str, Type | BitField] = {}
    for base in cls.__bases__:
        if "__bpf_fields__" in base.__dict__:
            inherited.update({f.name: BitField(f.type, f.bits) if f.bits else f.type for f in base.__bpf__.fields})
    members: list[tuple[str, Type | BitField]] = []
    wrong: list[DeclarationTypeError] = []
    union: bool = getattr(cls, "__bpf_union__", False)
    for field, annotation in cls.__bpf_fields__.items():
        if field in inherited:
            members.append((field, inherited[field]))
            continue
        try:
            members.append((field, _member(cls, field, annotation)))
            if union:
                from pybpf.stdlib.union import check_member

                check_member(name, *members[-1])
        except DeclarationTypeError as error:
            error.site = error.site or (*cls.__bpf_site__, field)
            wrong.append(error)
    if wrong:
        wrong[0].also = tuple(wrong[1:])
        raise wrong[0]
    try:
        return layout(name, members, packed=cls.__bpf_packed__, union=union)
    except ValueError as error:
        raise DeclarationTypeError(str(error), help="let it start at a whole byte") from None


def _member(cls: Any, field: str, annotation: Any) -> Type | BitField:
    """The type of one field. Raises DeclarationTypeError."""
    annotation = evaluated(cls, field, annotation)
    if _is_pointer(annotation) and isinstance(annotation.target, str):
        annotation = type(annotation)(evaluated(cls, field, annotation.target))
    try:
        bits: object = getattr(annotation, "__bpf__", None)
        if isinstance(bits, BitField):
            return bits
        kind = type_of(annotation)
    except DeclarationTypeError as error:
        title = f"{cls.__name__}.{field}: {error.title}"
        raise DeclarationTypeError(title, help=error.help, lines=error.lines, site=error.site) from None
    if isinstance(kind, StructType) and kind.opaque and kind.owner is None:
        name = annotation.__name__
        raise DeclarationTypeError(f"{cls.__name__}.{field}: {name} needs what it keeps, as in {name}[Job]")
    if kind is None:
        better = instead(annotation)
        raise DeclarationTypeError(
            f"{cls.__name__}.{field}: {why_not(annotation)}", lines=(f"{field}: {better}",) if better else ()
        )
    return kind


class _Decoder:
    """`Header.from_bytes`, which no program can call: what is in memory there is a reference already."""

    __slots__ = ("__name__", "struct")

    def __init__(self, struct: Any) -> None:
        self.__name__ = "from_bytes"
        self.struct = struct

    def __call__(self, data: bytes, offset: int = 0, /) -> Any:
        from pybpf.stdlib.encoding import from_bytes

        kind = self.struct.__bpf__
        raw = bytes(data[offset : offset + kind.size])
        if len(raw) < kind.size or offset < 0:
            raise ValueError(f"{kind} takes {kind.size} bytes, and there are {len(raw)} at {offset}")
        return from_bytes(kind, raw)


class _FromBytes:
    def __get__(self, _: object, struct: Any) -> _Decoder:
        return _Decoder(struct)


if TYPE_CHECKING:

    @dataclass_transform(kw_only_default=True, eq_default=False)
    class Struct(metaclass=StructMeta):
        """Base of all structs; see the module's docstring."""

        def __init_subclass__(cls, *, packed: bool = ...) -> None: ...
        def __eq__(self, other: object, /) -> bool: ...
        def __hash__(self) -> int: ...
        def __bytes__(self) -> bytes:
            """The bytes as they lie in memory, padding (which is zero) and all."""
            ...

        @classmethod
        def at(cls, address: int, /) -> Self:
            """The struct that lies at a packet address already compared with `data_end`: a reference, no copy."""
            ...

        @classmethod
        def from_bytes(cls, data: bytes, offset: int = 0, /) -> Self:
            """In user space: the struct whose bytes lie at an offset, as in a record of a `RingBuffer[bytes]`."""
            ...

else:

    class Struct(metaclass=StructMeta):
        """Base of all structs; see the module's docstring."""

        __bpf_pointers__ = ()  # names of fields that are pointers

        def __init__(self, **values):
            cls = type(self)
            if len(values) != len(cls.__bpf_fields__) or values.keys() != cls.__bpf_fields__.keys():
                values = _complete(cls, values)
            for field, value in values.items():
                setattr(self, field, value)

        def __eq__(self, other):
            if type(other) is not type(self):
                return NotImplemented
            pointers = type(self).__bpf_pointers__  # two that lead to different objects differ, whatever is in those
            return all(
                getattr(self, field) is getattr(other, field)
                if field in pointers
                else getattr(self, field) == getattr(other, field)
                for field in type(self).__bpf_fields__
            )

        def __hash__(self):
            # Structs are map keys, so `dict(obj[flows])` has to work; as with any key, leave it alone once it is one.
            cls = type(self)
            plain = [field for field in cls.__bpf_fields__ if field not in cls.__bpf_pointers__]
            return hash((cls.__name__, *[_hashable(getattr(self, field)) for field in plain]))

        def __repr__(self):
            pointers = type(self).__bpf_pointers__  # which may lead back here
            inner = ", ".join(
                [
                    f"{field}={_pointed_to(getattr(self, field, None))}"
                    if field in pointers
                    else f"{field}={getattr(self, field, '?')!r}"
                    for field in type(self).__bpf_fields__
                ]
            )
            return f"{type(self).__name__}({inner})"

        def __bytes__(self):
            from pybpf.stdlib.encoding import to_bytes

            return to_bytes(type(self).__bpf__, self)

        def __copy__(self):
            made = object.__new__(type(self))
            for field in type(self).__bpf_fields__:
                setattr(made, field, getattr(self, field))
            return made

        @classmethod
        def at(cls, address):
            from pybpf.stdlib.simulation import current

            return current(f"{cls.__name__}.at()").struct_at(cls, address)

        from_bytes = _FromBytes()


def _pointed_to(value: Any) -> str:
    return "None" if value is None else f"<{type(value).__name__}>"


def _complete(cls: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The values of all fields, with defaults filled in; TypeError as a dataclass raises it."""
    from pybpf.stdlib.types import fresh

    extra = [field for field in given if field not in cls.__bpf_fields__]
    if extra:
        raise TypeError(f"{cls.__name__}() got an unexpected keyword argument {extra[0]!r}")
    missing = [field for field in cls.__bpf_fields__ if field not in given and field not in cls.__bpf_defaults__]
    if missing:
        plural = "s" if missing[1:] else ""
        names = ", ".join(map(repr, missing))
        raise TypeError(f"{cls.__name__}() missing {len(missing)} required keyword argument{plural}: {names}")
    if any(map(_is_bare, cls.__bpf_defaults__.values())):
        cls.__bpf__  # noqa: B018 -- which says what they are
    made = {field: fresh(value) for field, value in cls.__bpf_defaults__.items()} | given
    return {field: made[field] for field in cls.__bpf_fields__}


def _is_bare(value: Any) -> bool:
    """Whether a default is `Array()`, of whatever type the field is."""
    return type(value) is Array and not value


def _hashable(value: Any) -> Any:
    return tuple([_hashable(item) for item in value]) if isinstance(value, list) else value


def defaults(cls: type[Struct]) -> dict[str, Any]:
    """Default values of the fields that have one."""
    found: dict[str, Any] = cls.__bpf_defaults__  # type: ignore[attr-defined]
    return found


def coercions(cls: type[Struct]) -> dict[str, Callable[[Any], Any]]:
    """For each scalar field what makes a value as the field would hold it: wrapped at its width, or a bool.

    Fields of other types keep what they are given and are not in the table.
    """
    made: dict[str, Callable[[Any], Any]] = {}
    for field in cls.__bpf__.fields:
        if isinstance(field.type, BoolType):
            made[field.name] = bool
        elif field.bits and isinstance(field.type, (IntType, EnumType)):
            base = field.type.base if isinstance(field.type, EnumType) else field.type
            made[field.name] = wrapper(IntType(field.bits, base.signed))
        elif isinstance(field.type, (IntType, EnumType)):
            made[field.name] = wrapper(field.type)
    return made


def wrapper(kind: IntType | EnumType) -> Callable[[int], int]:
    """A function that wraps an int at the width of an integer type."""
    base = kind.base if isinstance(kind, EnumType) else kind
    mask, top = (1 << base.bits) - 1, 1 << base.bits - 1
    if not base.signed:
        return lambda value: int(value) & mask
    return lambda value: ((int(value) & mask) ^ top) - top
