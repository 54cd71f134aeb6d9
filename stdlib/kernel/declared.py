"""Kernel structs that the user declares, of the members that a program needs.

    class task_struct___old(KernelStruct):      # what follows `___` is a flavour, which the kernel never sees
        state: i64
        real_parent: task_struct                # a pointer, as most members that name a struct are
        thread_info: Embedded[thread_info]      # in place
        saved: Pointer[u64]                     # to a number; Pointer[str] is char *, Pointer[None] void *

The kernel that loads the program is asked for each member by its name, so order and completeness don't matter, and
members of anonymous structs and unions are written as the struct's own. Whether a member is a pointer or in place does
matter; where the bundled types have the member, the declaration is held against them.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelMember, KernelType
from pybpf.compiler.schema.types import (
    ArrayType,
    BitField,
    BytesType,
    IntType,
    PtrType,
    Space,
    TextType,
    Type,
    layout,
)
from pybpf.stdlib.annotations import evaluated
from pybpf.stdlib.types import type_of, why_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MISMATCH", "declared", "lay_out", "mismatch"]


def declared(cls: Any) -> KernelType:
    """The type of a class of the user's. Its members are read, and checked, at once. Raises DeclarationTypeError."""
    name: str = cls.__name__
    if not cls.__bpf_fields__:
        raise DeclarationTypeError(
            f"{name} has no members",
            help="annotate those that are used:",
            lines=("pid: i32",),
            site=(*cls.__bpf_site__, ""),
        )
    made = KernelType(name, lambda: (0, ()), "union" if cls.__bpf_union__ else "struct")
    cls.__bpf_type__ = made  # members may point to it
    members = []
    field = ""
    try:
        for field, annotation in cls.__bpf_fields__.items():
            members.append((field, _member(cls, field, annotation)))
        wrong = mismatch(made, members)
        if wrong is not None:
            field, theirs = wrong
            what = theirs if isinstance(theirs, KernelType) else theirs.pointee
            spelled = str(what) if isinstance(what, KernelType) and what.name else "..."
            raise DeclarationTypeError(
                f"{name}.{field} is declared {MISMATCH[isinstance(theirs, KernelType)]}",
                help="write:",
                lines=(f"{field}: Embedded[{spelled}]" if isinstance(theirs, KernelType) else f"{field}: {spelled}",),
            )
    except DeclarationTypeError as error:
        del cls.__bpf_type__
        error.site = error.site or (*cls.__bpf_site__, field)
        raise
    made.read = lambda: lay_out(made, members)
    return made


def _member(cls: Any, field: str, annotation: Any) -> Type | BitField:
    annotation = evaluated(cls, field, annotation)
    kind: object = getattr(annotation, "__bpf__", None)
    if isinstance(kind, BitField):
        return kind
    target: object = getattr(annotation, "__bpf_pointee__", _NO)
    if target is not _NO:
        if target is None:
            return PtrType(None, Space.KERNEL)
        inner = type_of(target)
        if target is str:  # char *
            inner = TextType(0)
        if inner is None:
            raise DeclarationTypeError(f"{cls.__name__}.{field}: Pointer to what is no type: {why_not(target)}")
        return PtrType(inner, Space.KERNEL)
    inside: object = getattr(annotation, "__bpf_embedded__", None)
    if inside is not None:
        kind = getattr(inside, "__bpf__", None)
        if not isinstance(kind, KernelType):
            raise DeclarationTypeError(f"{cls.__name__}.{field}: Embedded[...] takes a kernel struct")
        if kind is cls.__bpf_type__:
            raise DeclarationTypeError(f"{cls.__name__} contains itself", help=f"a pointer is {field}: {cls.__name__}")
        return kind
    if isinstance(kind, KernelType):
        return PtrType(kind, Space.KERNEL)
    found = type_of(annotation)
    if found is None:
        raise DeclarationTypeError(f"{cls.__name__}.{field}: {why_not(annotation)}")
    return found


_NO = object()


def lay_out(made: KernelType, members: list[tuple[str, Type | BitField]]) -> tuple[int, tuple[KernelMember, ...]]:
    """Size and members by C's rules. Only the names and kinds matter to the kernel; offsets are its own."""
    kinds = [(name, kind if isinstance(kind, BitField) else _stand_in(kind)) for name, kind in members]
    laid = layout(made.name, kinds, union=made.tag == "union")
    found = []
    for index, (field, (_, kind)) in enumerate(zip(laid.fields, members)):
        own = kind.type if isinstance(kind, BitField) else kind
        found.append(KernelMember(field.name, own, field.offset, index, field.bits, field.bit_offset))
    return laid.size, tuple(found)


def _stand_in(kind: Type) -> Type:
    """A type of the same size whose alignment is known."""
    if isinstance(kind, ArrayType) and isinstance(_innermost(kind), KernelType):
        return ArrayType(_stand_in(kind.element), kind.length)
    if isinstance(kind, KernelType):
        return BytesType(kind.size) if kind.size % 8 else ArrayType(IntType(64), kind.size // 8)
    return kind


def _innermost(kind: Type) -> Type:
    while isinstance(kind, ArrayType):
        kind = kind.element
    return kind


MISMATCH = {
    True: "as a pointer, but the kernel has a struct in place there",
    False: "to be in place, but the kernel has a pointer there",
}


def mismatch(made: KernelType, members: list[tuple[str, Type | BitField]]) -> tuple[str, KernelType | PtrType] | None:
    """A member that is a pointer here and in place in the bundled types, or the other way round; with their type."""
    from pybpf.stdlib.kernel.names import struct

    known = struct(made.tag, made.name.partition("___")[0])
    if known is None:
        return None
    for name, kind in members:
        try:
            way = known.find(name)
        except DeclarationTypeError:  # only declared
            return None
        theirs = way[-1].type if way is not None else None
        if isinstance(theirs, KernelType) and isinstance(kind, PtrType):
            return name, theirs
        if isinstance(theirs, PtrType) and isinstance(kind, KernelType):
            return name, theirs
    return None
