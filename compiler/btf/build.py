"""The language's types -> BTF types, each one once.

Integers are spelled as C does (`unsigned int`), so that a C skeleton shows them without a typedef; those in network
byte order are a typedef of the kernel's name (`__be16`), enumerations of other than 32 bits one of their integer.
Text is `char[]`, bytes are `unsigned char[]`.
"""

from __future__ import annotations

from pybpf.compiler.btf import types as t
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import (
    ArrayType,
    BoolType,
    BytesType,
    EnumType,
    IntType,
    MapType,
    NoneType,
    OptionalType,
    ProtoType,
    PtrType,
    StructType,
    TextType,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["TypeBuilder"]

POINTERS = ("kptr", "kptr_untrusted")  # type tags of pointers in values of maps

_UNSIGNED = {8: "unsigned char", 16: "unsigned short", 32: "unsigned int", 64: "unsigned long long"}
_SIGNED = {8: "signed char", 16: "short", 32: "int", 64: "long long"}


class TypeBuilder:
    """A growing list of BTF types; equal ones share an id. `types[0]` is VOID."""

    def __init__(self) -> None:
        self.types: list[t.BtfType] = [t.VOID]
        self._ids: dict[t.BtfType, int] = {}
        self._known: dict[Type, int] = {}
        # what gives the id of a KernelType: LocalTypes
        self.kernel: Callable[[Type], int] = lambda type_: self.named_struct(str(type_))
        self._open: dict[StructType, int] = {}  # structs whose members are being added -> id, 0 while none is needed

    def add(self, item: t.BtfType) -> int:
        """Id of `item`, which is added unless an equal one is there."""
        number = self._ids.get(item)
        if number is None:
            number = self._ids[item] = len(self.types)
            self.types.append(item)
        return number

    def of(self, type_: Type) -> int:
        """Id of a type of the language. Tuples have none: they are never in memory."""
        number = self._known.get(type_)
        if number is None:
            number = _MAKERS[type(type_)](self, type_)
            if type_ not in self._open:
                self._known[type_] = number
        return number

    def pointer(self, type_: Type) -> int:
        """Id of a pointer to a type of the language."""
        return self.add(t.Ptr(self.of(type_)))

    def integer(self, bits: int, signed: bool = False) -> int:
        """Id of C's integer of that width."""
        name = _SIGNED[bits] if signed else _UNSIGNED[bits]
        return self.add(t.Int(name, bits // 8, t.INT_SIGNED if signed else 0, bits))

    def char(self) -> int:
        """Id of `char`, which is signed on BPF."""
        return self.add(t.Int("char", 1, t.INT_SIGNED, 8))

    def array(self, element: int, length: int) -> int:
        """Id of an array of `length` elements of the type with id `element`."""
        index = self.add(t.Int("__ARRAY_SIZE_TYPE__", 4, 0, 32))  # clang's name for it
        return self.add(t.Array(element, index, length))

    def named_struct(self, name: str) -> int:
        """Id of a struct of which only the name is known and matters: a program's context.

        It is a struct without members, and not a forward declaration: the kernel knows a context by the name of a
        *struct* (btf_is_prog_ctx_type), and refuses a global function whose argument points to a forward declaration
        ("size cannot be determined"). Kernel 6.18 makes no difference between an empty and the full struct.
        """
        return self.add(t.Struct(name, 0, ()))

    def prototype(self, params: list[t.Parameter], result: int) -> int:
        """Id of a function's signature."""
        return self.add(t.FuncProto(result, tuple(params)))

    def _integer(self, type_: IntType) -> int:
        if type_.big:
            plain = self.integer(type_.bits)
            return self.add(t.Typedef(f"__be{type_.bits}", plain)) if type_.bits > 8 else plain
        return self.integer(type_.bits, type_.signed)

    def _bool(self, _: BoolType) -> int:
        return self.add(t.Int("_Bool", 1, t.INT_BOOL, 8))

    def _none(self, _: NoneType) -> int:
        return 0

    def _enum(self, type_: EnumType) -> int:
        """Enumerations of other than 32 bits are typedefs of their integer.

        bpftool 7.1 writes every enum as a C enum of 4 bytes, and cilium/ebpf 0.9 counts 4 bytes for each.
        """
        if type_.base.bits != 32:
            return self.add(t.Typedef(type_.name, self.integer(type_.base.bits, type_.base.signed)))
        return self.enumeration(type_)

    def enumeration(self, type_: EnumType) -> int:
        """Id of an enumeration with its enumerators, whatever its width: what a CO-RE relocation refers to."""
        size, signed = type_.base.bits // 8, type_.base.signed
        low, high = (-(1 << 31), (1 << 31) - 1) if signed else (0, (1 << 32) - 1)
        narrow = all(low <= value <= high for _, value in type_.members)
        return self.add((t.Enum if narrow else t.Enum64)(type_.name, size, signed, type_.members))

    def _pointer(self, type_: PtrType) -> int:
        return self.add(t.Ptr(0 if type_.pointee is None else self.of(type_.pointee)))

    def _optional(self, type_: OptionalType) -> int:
        return self.of(type_.inner)  # C has no other pointers than those that may be NULL

    def _array(self, type_: ArrayType) -> int:
        return self.array(self.of(type_.element), type_.length)

    def _text(self, type_: TextType) -> int:
        return self.array(self.char(), type_.size)

    def _bytes(self, type_: BytesType) -> int:
        return self.array(self.integer(8), type_.size)

    def _struct(self, type_: StructType) -> int:
        if type_.opaque in POINTERS and type_.holds is not None:  # a pointer, tagged
            return self.add(t.Ptr(self.add(t.TypeTag(type_.opaque, self.of(type_.holds.type)))))
        if type_ in self._open:  # reached again through a pointer: give it its id before it is complete
            if not self._open[type_]:
                self._open[type_] = len(self.types)
                self.types.append(t.VOID)
            return self._open[type_]
        self._open[type_] = 0
        members = tuple([t.Member(f.name, self.of(f.type), f.offset * 8 + f.bit_offset, f.bits) for f in type_.fields])
        item = (t.Union if type_.union else t.Struct)(type_.name, type_.size, members)
        number = self._open.pop(type_)
        if not number:
            number = self.add(item)
        else:
            self.types[number] = item
        for index, field in enumerate(type_.fields):
            self._contents(number, index, field.type)
        return number

    def _contents(self, struct: int, index: int, kind: Type) -> None:
        """Say of a list or a tree, a member of a struct, what it contains (btf_find_graph_root, kernel/bpf/btf.c)."""
        held = kind.holds if isinstance(kind, StructType) else None
        if held is not None and held.node is not None:
            self.of(held.type)
            self.add(t.DeclTag(f"contains:{held.type}:{held.node.name}", struct, index))

    def _proto(self, type_: ProtoType) -> int:
        return self.prototype([t.Parameter(name, self.of(kind)) for name, kind in type_.params], self.of(type_.result))


_MAKERS: dict[type[Type], Callable[[TypeBuilder, Any], int]] = {
    ArrayType: TypeBuilder._array,
    BoolType: TypeBuilder._bool,
    BytesType: TypeBuilder._bytes,
    EnumType: TypeBuilder._enum,
    IntType: TypeBuilder._integer,
    KernelType: lambda builder, type_: builder.kernel(type_),
    MapType: lambda builder, type_: 0,  # a pointer to a map is `void *` in C
    NoneType: TypeBuilder._none,
    OptionalType: TypeBuilder._optional,
    ProtoType: TypeBuilder._proto,
    PtrType: TypeBuilder._pointer,
    StructType: TypeBuilder._struct,
    TextType: TypeBuilder._text,
}
